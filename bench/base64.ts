/**
 * What does it cost to write base64 from one place of the arena to another?
 *
 * ```
 *   24 KiB of an aggregate ──▶ the WebAssembly kernel │ a string of Node's, then Buffer.write ──▶ a request's body
 * ```
 *
 * One thread. The baseline is Node's encoder, which is fast but hands out a string: what that costs the collector shows in the
 * CPU time of long runs only.
 */
import { Base64 } from '../src/batch/base64.ts';
import { base64PieceBytes } from '../src/batch/wire.ts';
import { createArena } from '../src/ring/arena.ts';
import { type BenchCase, benchSwitches, runCases } from './harness.ts';

const pieces = 40;
const arena = createArena(8 * 1024 * 1024);
const source = 65_536;
const target = 4 * 1024 * 1024;
const base64 = new Base64(arena);
for (let at = 0; at < pieces * base64PieceBytes; at++) arena.bytes[source + at] = Math.imul(at, 0x9e37_79b1) >>> 24;

/** Encodes all pieces one behind the other, and sums up some letters. */
function encodeAll(encode: (at: number, from: number) => number): number {
  let at = target;
  for (let piece = 0; piece < pieces; piece++) at = encode(at, source + piece * base64PieceBytes);
  let checksum = at - target;
  for (let letter = target; letter < at; letter += 1_000) checksum += arena.bytes[letter] as number;
  return checksum;
}

const cases: BenchCase[] = [
  {
    name: 'kernel',
    unit: 'byte',
    units: pieces * base64PieceBytes,
    run: () => encodeAll((at, from) => base64.encode(at, from, base64PieceBytes)),
  },
  {
    name: 'toString, then write',
    unit: 'byte',
    units: pieces * base64PieceBytes,
    run: () =>
      encodeAll(
        (at, from) =>
          at + arena.buffer.write(arena.buffer.toString('base64', from, from + base64PieceBytes), at, 'latin1'),
      ),
  },
];

await runCases(cases, benchSwitches());
