/**
 * What does it cost to take a partition key out of an event's JSON text?
 *
 * ```
 *   65 KiB of 200-byte events in the arena ──▶ KeyFinder.find, one event at a time ──▶ sum of the keys' lengths and first bytes
 *   baseline: the same text by buffer.toString + JSON.parse + property access
 * ```
 *
 * `node dist/bench/json-key.js`; `--smoke` runs each case for a moment, to see that it still works. Beside the finder stand
 * the ways to find the end of a line, since lines.ts has to choose one.
 */
import { assert } from '../src/base/assert.ts';
import { compileKeyPath, KeyFinder, KeyStatus } from '../src/ingress/json-key.ts';
import { createArena } from '../src/ring/arena.ts';

const smoke = process.argv.includes('--smoke');
const roundsPerCase = smoke ? 2 : 4_000;
const repeats = smoke ? 1 : 5;
const eventBytes = 200;
const eventCount = 320;

const arena = createArena(1 << 20);
const scratchOffset = 1 << 19;

/** Events of exactly 200 bytes; `head` gives the members before the padding. */
function fill(head: (index: number) => string): void {
  for (let index = 0; index < eventCount; index++) {
    const members = head(index);
    const text = `{${members},"pad":"${'x'.repeat(eventBytes - Buffer.byteLength(members) - 12)}"}\n`;
    assert(Buffer.byteLength(text) === eventBytes, 'an event has the size that the case is named for');
    arena.bytes.set(Buffer.from(text), index * eventBytes);
  }
}

/** Nanoseconds per event, the best of some repeats, and a checksum of what the case produced. */
function measure(run: () => number): { ns: number; checksum: number } {
  let best = Number.POSITIVE_INFINITY;
  let checksum = 0;
  for (let repeat = 0; repeat <= repeats; repeat++) {
    checksum = 0;
    const start = process.hrtime.bigint();
    for (let round = 0; round < roundsPerCase; round++) checksum = (checksum + run()) % 1_000_003;
    const ns = Number(process.hrtime.bigint() - start) / roundsPerCase / eventCount;
    if (repeat > 0 || smoke) best = Math.min(best, ns);
  }
  return { ns: best, checksum };
}

function report(name: string, run: () => number): void {
  const { ns, checksum } = measure(run);
  console.log(`${name.padEnd(52)} ${ns.toFixed(0).padStart(6)} ns/event   checksum ${checksum}`);
}

function finderCase(path: string): () => number {
  const finder = new KeyFinder(arena.bytes, scratchOffset, compileKeyPath(path));
  return () => {
    let sum = 0;
    for (let start = 0; start < eventCount * eventBytes; start += eventBytes) {
      assert(finder.find(start, start + eventBytes) === KeyStatus.found, 'every event of the bench has a key');
      sum += finder.keyLength + (arena.bytes[finder.keyOffset] as number);
    }
    return sum;
  };
}

function parseCase(names: readonly string[]): () => number {
  return () => {
    let sum = 0;
    for (let start = 0; start < eventCount * eventBytes; start += eventBytes) {
      let value = JSON.parse(arena.buffer.toString('utf8', start, start + eventBytes)) as unknown;
      for (const name of names) value = (value as Record<string, unknown>)[name];
      const key = String(value);
      sum += Buffer.byteLength(key) + key.charCodeAt(0);
    }
    return sum;
  };
}

const cases: readonly { readonly name: string; readonly path: string; readonly head: (index: number) => string }[] = [
  { name: 'first member', path: 'id', head: (i) => `"id":"user-${1000 + i}"` },
  {
    name: 'third member, at byte 50',
    path: 'id',
    head: (i) => `"level":30,"time":1700000000000,"host":"web-1","id":"user-${1000 + i}"`,
  },
  {
    name: 'nested, at byte 55',
    path: 'user.id',
    head: (i) => `"level":30,"time":1700000000000,"user":{"n":"ann","id":"user-${1000 + i}"}`,
  },
  {
    name: 'name and value with escapes',
    path: 'user.id',
    head: (i) => `"level":30,"time":1700000000000,"us\\u0065r":{"id":"user\\u002d${1000 + i}"}`,
  },
];

for (const each of cases) {
  fill(each.head);
  report(`finder: ${each.name}`, finderCase(each.path));
  report(`JSON.parse: ${each.name}`, parseCase(each.path.split('.')));
}

const view = arena.buffer.subarray(0, eventCount * eventBytes);
report('end of line: Buffer.indexOf', () => {
  let sum = 0;
  for (let at = view.indexOf(10, 0); at !== -1; at = view.indexOf(10, at + 1)) sum += at;
  return sum;
});
report('end of line: TypedArray.indexOf', () => {
  let sum = 0;
  for (let at = Uint8Array.prototype.indexOf.call(view, 10, 0); at !== -1; ) {
    sum += at;
    at = Uint8Array.prototype.indexOf.call(view, 10, at + 1);
  }
  return sum;
});
report('end of line: byte loop', () => {
  const bytes = arena.bytes;
  let sum = 0;
  for (let at = 0; at < eventCount * eventBytes; at++) if (bytes[at] === 10) sum += at;
  return sum;
});
report('end of line: four bytes at a time', () => {
  const { bytes, words } = arena;
  let sum = 0;
  for (let index = 0; index < (eventCount * eventBytes) >> 2; index++) {
    const word = (words[index] as number) ^ 0x0a0a0a0a;
    if (((word - 0x01010101) & ~word & 0x80808080) === 0) continue;
    for (let at = index << 2; at < (index + 1) << 2; at++) if (bytes[at] === 10) sum += at;
  }
  return sum;
});
