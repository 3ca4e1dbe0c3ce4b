/**
 * Should events be copied into the ring, or stay in the chunk that the socket filled while only descriptors travel?
 *
 * ```
 *  copied          block ─parse─▶ copy ─▶ ring (24-byte header + bytes) ─▶ consumer: copy data, checksum
 *  copied by set   the same, with TypedArray.set for both copies
 *  chunks          block = chunk of a slab ─parse─▶ 8-byte descriptor ─▶ consumer: copy data out of the chunk, checksum
 * ```
 *
 * The main thread takes 256 KiB blocks of frames that already lie in memory (a socket would have put them there: the kernel's
 * copy is the same for both, though it goes to one warm block in the first design and to a cold chunk in the last). One or two
 * consumer threads; with two, an FNV hash of the key decides. "copied" is src/ring itself; "chunks" is the prototype in
 * ring-designs-chunks.ts. Head is published once per block. Held: bytes of the budget that one event occupies until released.
 */
import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { Worker } from 'node:worker_threads';
import { type Arena, createArena } from '../src/ring/arena.ts';
import { control, entryBytes, entryHeaderBytes } from '../src/ring/layout.ts';
import { RingProducer } from '../src/ring/producer.ts';
import { benchSwitches, cpuSeconds, printLine } from './harness.ts';
import { ChunkProducer } from './ring-designs-chunks.ts';
import { blockBytes, frameHeaderBytes, keyBytes, type Places, type Plan, placesOf } from './ring-designs-layout.ts';

const switches = benchSwitches();

/** Fills every block with frames; a frame's data begins with its number within the block. Gives the frames per block. */
function fillBlocks(arena: Arena, places: Places, eventBytes: number): number {
  const frameBytes = frameHeaderBytes + eventBytes;
  const frames = Math.floor(blockBytes / frameBytes);
  for (let frame = 0; frame < places.blocks * frames; frame++) {
    const inBlock = frame % frames;
    const at = places.landingOffset + Math.floor(frame / frames) * blockBytes + inBlock * frameBytes;
    arena.buffer.writeUInt32LE(eventBytes, at);
    arena.buffer.write(String(Math.imul(inBlock, 0x9e3779b1) >>> 0).padStart(keyBytes, '0'), at + 4, 'latin1');
    arena.buffer.fill(0x78, at + frameHeaderBytes, at + frameBytes);
    arena.buffer.writeInt32LE(inBlock, at + frameHeaderBytes);
  }
  return frames;
}

function dataLengthAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

function routeOf(bytes: Uint8Array, keyOffset: number, consumers: number): number {
  if (consumers === 1) return 0;
  let state = 0x811c9dc5;
  for (let at = keyOffset; at < keyOffset + keyBytes; at++) state = Math.imul(state ^ bytes[at]!, 0x01000193);
  return (state >>> 16) % consumers;
}

/** What a design's producer does with a block; gives the checksum of the data that it handed over. */
type HandOver = (block: number, frames: number) => number;

function copiedHandOver(
  arena: Arena,
  places: Places,
  plan: Plan,
  bySet: boolean,
): { hand: HandOver; stop: () => void } {
  const { bytes, words } = arena;
  const rings = places.starts.map((start) => new RingProducer(arena, start.ring));
  const headWords = places.starts.map((start) => (start.ring.controlOffset + control.head) >>> 2);
  const publish = (): void => {
    for (let ring = 0; ring < rings.length; ring++) {
      if (rings[ring]!.publish()) wake(arena, places, ring, headWords[ring]!);
    }
  };
  const claim = (ring: number, length: number): number => {
    for (;;) {
      const offset = rings[ring]!.claim(length);
      if (offset !== 0) return offset;
      publish();
      waitForTail(words, (places.starts[ring]!.ring.controlOffset + control.tail) >>> 2);
    }
  };
  const hand = (_block: number, frames: number): number => {
    let sum = 0;
    let at = places.landingOffset;
    for (let frame = 0; frame < frames; frame++) {
      const dataLength = dataLengthAt(bytes, at);
      const length = keyBytes + dataLength;
      const offset = claim(routeOf(bytes, at + 4, plan.consumers), length);
      words[(offset + 8) >>> 2] = keyBytes;
      words[(offset + 12) >>> 2] = frame;
      arena.floats[(offset + 16) >>> 3] = frame;
      if (bySet) bytes.set(bytes.subarray(at + 4, at + 4 + length), offset + entryHeaderBytes);
      else arena.copy(offset + entryHeaderBytes, at + 4, length);
      at += frameHeaderBytes + dataLength;
      sum = (sum + frame) | 0;
    }
    publish();
    return sum;
  };
  const stop = (): void => {
    for (let ring = 0; ring < rings.length; ring++) claim(ring, 0);
    publish();
  };
  return { hand, stop };
}

function chunksHandOver(arena: Arena, places: Places, plan: Plan): { hand: HandOver; stop: () => void } {
  const { bytes, words } = arena;
  const rings = places.starts.map((start) => new ChunkProducer(arena, start.chunks));
  const handedOut = new Int32Array(places.blocks);
  const publish = (): void => {
    for (let ring = 0; ring < rings.length; ring++) {
      rings[ring]!.publish();
      wake(arena, places, ring, rings[ring]!.headWord);
    }
  };
  const put = (ring: number, offset: number, length: number): void => {
    while (!rings[ring]!.put(offset, length)) {
      publish();
      waitForTail(words, rings[ring]!.tailWord);
    }
  };
  const waitUntilFree = (chunk: number): void => {
    for (;;) {
      let done = 0;
      for (const ring of rings) done += ring.doneOf(chunk);
      if (done === handedOut[chunk]) return;
      waitForTail(words, rings[0]!.tailWord);
    }
  };
  const hand = (block: number, frames: number): number => {
    const chunk = block % places.blocks;
    waitUntilFree(chunk);
    let sum = 0;
    let at = places.landingOffset + chunk * blockBytes;
    for (let frame = 0; frame < frames; frame++) {
      const length = frameHeaderBytes + dataLengthAt(bytes, at);
      put(routeOf(bytes, at + 4, plan.consumers), at, length);
      at += length;
      sum = (sum + frame) | 0;
    }
    handedOut[chunk]! += frames;
    publish();
    return sum;
  };
  const stop = (): void => {
    for (let ring = 0; ring < rings.length; ring++) put(ring, places.landingOffset, 0);
    publish();
  };
  return { hand, stop };
}

function wake(arena: Arena, places: Places, ring: number, headWord: number): void {
  const asleepWord = places.starts[ring]!.reportOffset >>> 2;
  if (Atomics.load(arena.words, asleepWord) === 1) Atomics.notify(arena.words, headWord);
}

/** The ring is full: sleeps until the consumer gives something back, at most a millisecond (it may just have done so). */
function waitForTail(words: Int32Array, tailWord: number): void {
  Atomics.wait(words, tailWord, Atomics.load(words, tailWord), 1);
}

/** Words of the consumers' reports: sums of events finished (word 1) or of checksums (word 2). */
function reported(arena: Arena, places: Places, word: number): number {
  return places.starts.reduce(
    (sum, start) => (sum + Atomics.load(arena.words, (start.reportOffset >>> 2) + word)) | 0,
    0,
  );
}

async function run(plan: Plan): Promise<void> {
  const places = placesOf(plan);
  const arena = createArena(places.arenaBytes);
  const frames = fillBlocks(arena, places, plan.eventBytes);
  const workers = places.starts.map(
    (start) =>
      new Worker(new URL('ring-designs-worker.js', import.meta.url), {
        workerData: { ...start, memory: arena.memory },
      }),
  );
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  const { hand, stop } =
    plan.design === 'chunks'
      ? chunksHandOver(arena, places, plan)
      : copiedHandOver(arena, places, plan, plan.design === 'copied by set');
  const drained = (events: number): void => {
    for (;;) {
      const seen = places.starts.map((start) => Atomics.load(arena.words, (start.reportOffset >>> 2) + 1));
      if (reported(arena, places, 1) === events) return;
      const slowest = seen.indexOf(Math.min(...seen));
      Atomics.wait(arena.words, (places.starts[slowest]!.reportOffset >>> 2) + 1, seen[slowest]!, 1);
    }
  };

  const blocks = Math.ceil(plan.events / frames);
  const warmBlocks = Math.ceil(blocks / 4);
  let expected = 0;
  let block = 0;
  for (; block < warmBlocks; block++) expected = (expected + hand(block, frames)) | 0;
  drained(block * frames);
  const cpuBefore = cpuSeconds();
  const wallBefore = performance.now();
  for (; block < warmBlocks + blocks; block++) expected = (expected + hand(block, frames)) | 0;
  drained(block * frames);
  const seconds = (performance.now() - wallBefore) / 1000;
  const cpu = cpuSeconds() - cpuBefore;
  const ended = workers.map((worker) => once(worker, 'exit'));
  stop();
  await Promise.all(ended);
  if (reported(arena, places, 2) !== expected) throw new Error(`${plan.design}: the checksums differ`);
  print(plan, (blocks * frames) / seconds, (cpu * 1e6) / (blocks * frames), frames, expected);
}

function print(
  plan: Plan,
  eventsPerSecond: number,
  cpuSecondsPerMillion: number,
  frames: number,
  checksum: number,
): void {
  const held = plan.design === 'chunks' ? blockBytes / frames + 8 : entryBytes(keyBytes + plan.eventBytes);
  const row = { ...plan, eventsPerSecond, cpuSecondsPerMillion, heldBytesPerEvent: held, checksum };
  if (switches.json) {
    printLine(JSON.stringify(row));
    return;
  }
  const name = `${plan.eventBytes} B, ${plan.consumers} consumer${plan.consumers > 1 ? 's' : ''}, ${plan.design}`;
  const rate = `${(eventsPerSecond / 1e6).toFixed(2)} M events/s`;
  const cost = `${cpuSecondsPerMillion.toFixed(3)} CPU-s per million`;
  printLine(`${name.padEnd(36)} ${rate}  ${cost}  held ${held.toFixed(0)} B  checksum=${checksum}`);
}

for (const eventBytes of [200, 1000]) {
  const events = switches.smoke ? 5_000 : 1_200_000_000 / eventBytes;
  await run({ design: 'copied', consumers: 1, eventBytes, events });
  await run({ design: 'copied by set', consumers: 1, eventBytes, events });
  await run({ design: 'chunks', consumers: 1, eventBytes, events });
  await run({ design: 'copied', consumers: 2, eventBytes, events });
  await run({ design: 'chunks', consumers: 2, eventBytes, events });
}
