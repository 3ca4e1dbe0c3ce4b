/**
 * Question: what does finding one 200-byte event in a read of frames cost, and how much of it is the parser's?
 *
 * ```
 *   64 KiB of frames in the arena ──▶ Framer.consume ──▶ an intake that adds up lengths
 *   the same bytes                ──▶ a bare loop over length words (baseline)
 * ```
 *
 * Prints nanoseconds per event of each, best of its rounds, and a checksum. `--smoke`: a few rounds, for the tests.
 */

import { encodeEvent, encodeHello } from '../src/ingress/frame-layout.ts';
import { createFrameFramer } from '../src/ingress/frames.ts';
import { type Intake, Verdict } from '../src/ingress/intake.ts';
import { createArena } from '../src/ring/arena.ts';

const smoke = process.argv.includes('--smoke');
const rounds = smoke ? 3 : 30;
const readsPerRound = smoke ? 20 : 2_000;

const arena = createArena(1 << 20);
const start = 4_096;
let checksum = 0;

const intake: Intake = {
  streamIndex: () => 0,
  eventBytesMax: () => 1 << 18,
  offer(_stream, keyOffset, keyLength, dataOffset, dataLength) {
    checksum = (checksum + keyOffset + keyLength * 3 + dataOffset + dataLength * 7) | 0;
    return Verdict.ring;
  },
  refuse() {},
  randomKey: () => 64,
  commit() {},
  feeds: () => undefined,
  retryAfterMs: () => 0,
  whenRoom() {},
};

function fill(dataBytes: number): { end: number; events: number } {
  const key = Buffer.from('user-000001234567');
  const frame = encodeEvent(key, Buffer.alloc(dataBytes, 'x'));
  const events = Math.floor(65_536 / frame.length);
  for (let index = 0; index < events; index += 1) arena.bytes.set(frame, start + index * frame.length);
  return { end: start + events * frame.length, events };
}

/** Nanoseconds per event, of the best round. */
function best(events: number, read: () => void): number {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round += 1) {
    const from = process.hrtime.bigint();
    for (let index = 0; index < readsPerRound; index += 1) read();
    const ns = Number(process.hrtime.bigint() - from) / (readsPerRound * events);
    least = Math.min(least, ns);
  }
  return least;
}

function baseline(end: number): void {
  const { bytes } = arena;
  let offset = start;
  while (offset < end) {
    const length = (bytes[offset] ?? 0) | ((bytes[offset + 1] ?? 0) << 8) | ((bytes[offset + 2] ?? 0) << 16);
    checksum = (checksum + length) | 0;
    offset += 8 + length;
  }
}

for (const dataBytes of [183, 983]) {
  const framer = createFrameFramer({ arena, intake, defaultStream: 0, carryBytesMax: 1 << 18 });
  const hello = encodeHello('', 0);
  arena.bytes.set(hello, start);
  framer.consume(start, start + hello.length, 1);
  const { end, events } = fill(dataBytes);
  const parse = best(events, () => {
    framer.consume(start, end, 1);
    framer.takeAnswer();
  });
  const bare = best(events, () => baseline(end));
  process.stdout.write(
    `frames of ${dataBytes + 17} B: ${parse.toFixed(1)} ns per event; baseline ${bare.toFixed(1)} ns (checksum ${checksum})\n`,
  );
}
