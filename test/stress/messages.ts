/**
 * Messages of the ring's stress test: each can be made again from its sequence number, so that a reader knows what it must be.
 * Both threads. A message's words stand in the entry's payload, its number and checksum in the entry's own header fields.
 */
import type { Arena } from '../../src/ring/arena.ts';
import { entry } from '../../src/ring/layout.ts';

/** How long messages are: up to `usual` bytes; one in 512 up to 16 times that; one in 65,536 up to `most`, and never more. */
export interface Lengths {
  readonly usual: number;
  readonly most: number;
}

/** A number that looks random, from a number: the finalizer of MurmurHash3. */
function mixed(value: number): number {
  let hash = value | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

export function lengthOf(sequence: number, { usual, most }: Lengths): number {
  const random = mixed(sequence);
  const rarity = random & 0xffff;
  const reach = rarity === 0 ? most : rarity % 512 === 0 ? Math.min(16 * usual, most) : usual;
  // The bits that decided the rarity say nothing more: another number for the length.
  return mixed(random) % (reach + 1);
}

/** Writes message `sequence` into the claimed entry at `offset`. The last word may reach into the entry's alignment. */
export function writeMessage({ words, floats }: Arena, offset: number, sequence: number, length: number): void {
  let sum = length;
  const first = (offset + entry.payload) >>> 2;
  const end = first + ((length + 3) >>> 2);
  for (let index = first, word = sequence | 0; index < end; index++) {
    word = (Math.imul(word, 1_664_525) + 1_013_904_223) | 0;
    words[index] = word;
    sum = Math.imul(sum ^ word, 0x01000193);
  }
  words[(offset + entry.key) >>> 2] = sequence | 0;
  words[(offset + entry.enteredMs) >>> 2] = sum;
  floats[(offset + entry.firstSeenUs) >>> 3] = sequence;
}

/** The sequence number of the message at `offset`. */
export function sequenceAt({ floats }: Arena, offset: number): number {
  return floats[(offset + entry.firstSeenUs) >>> 3] as number;
}

/** Whether the entry at `offset` is message `sequence`, whole. */
export function isWhole({ words, floats }: Arena, offset: number, sequence: number, lengths: Lengths): boolean {
  const length = words[(offset + entry.length) >>> 2] as number;
  if (length !== lengthOf(sequence, lengths)) return false;
  let sum = length;
  const first = (offset + entry.payload) >>> 2;
  const end = first + ((length + 3) >>> 2);
  for (let index = first; index < end; index++) sum = Math.imul(sum ^ (words[index] as number), 0x01000193);
  return (
    words[(offset + entry.key) >>> 2] === (sequence | 0) &&
    words[(offset + entry.enteredMs) >>> 2] === sum &&
    floats[(offset + entry.firstSeenUs) >>> 3] === sequence
  );
}
