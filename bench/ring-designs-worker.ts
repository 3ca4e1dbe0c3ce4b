/**
 * The consumer thread of bench/ring-designs: takes events from its ring, copies each one's data into its gathering area, adds
 * a word of it to a checksum, and gives memory back. Started by bench/ring-designs; ends when asked for -1 events.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { openArena } from '../src/ring/arena.ts';
import { RingConsumer } from '../src/ring/consumer.ts';
import { control, entry, entryHeaderBytes } from '../src/ring/layout.ts';
import { ChunkConsumer } from './ring-designs-chunks.ts';
import { type ConsumerStart, frameHeaderBytes, gatherBytes, keyBytes } from './ring-designs-layout.ts';

/** Memory is given back after this many events, and whenever the ring is empty. */
const releaseEvery = 1024;

const start = workerData as ConsumerStart;
const arena = openArena(start.memory);
const { words } = arena;
const asleepWord = start.reportOffset >>> 2;
let finished = 0;
let checksum = 0;
let gathered = 0;

/** Copies one event's data to where the aggregate would grow. */
function gather(dataOffset: number, dataLength: number): void {
  if (gathered + dataLength > gatherBytes) gathered = 0;
  const target = start.gatherOffset + gathered;
  if (start.design === 'copied by set') {
    arena.bytes.set(arena.bytes.subarray(dataOffset, dataOffset + dataLength), target);
  } else {
    arena.copy(target, dataOffset, dataLength);
  }
  checksum = (checksum + words[target >>> 2]!) | 0;
  gathered += (dataLength + 7) & -8;
  finished += 1;
}

/** Tells the main thread how far this came, then sleeps until HEAD moves. Main wakes who is asleep, after each publish. */
function waitForHead(headWord: number, headSeen: number): void {
  Atomics.store(words, asleepWord + 2, checksum);
  Atomics.store(words, asleepWord + 1, finished);
  Atomics.notify(words, asleepWord + 1);
  Atomics.store(words, asleepWord, 1);
  Atomics.wait(words, headWord, headSeen);
  Atomics.store(words, asleepWord, 0);
}

function consumeCopied(): void {
  const consumer = new RingConsumer(arena, start.ring);
  const headWord = (start.ring.controlOffset + control.head) >>> 2;
  const tailWord = (start.ring.controlOffset + control.tail) >>> 2;
  const release = (): void => {
    while (consumer.advance() !== 0);
    consumer.release();
    Atomics.notify(words, tailWord);
  };
  let unreleased = 0;
  for (;;) {
    const offset = consumer.next();
    if (offset === 0) {
      release();
      unreleased = 0;
      waitForHead(headWord, consumer.headSeen());
      continue;
    }
    const length = words[(offset + entry.length) >>> 2]!;
    if (length === 0) return;
    gather(offset + entryHeaderBytes + keyBytes, length - keyBytes);
    consumer.markDelivered(offset);
    if (++unreleased === releaseEvery) {
      release();
      unreleased = 0;
    }
  }
}

function consumeChunks(): void {
  const consumer = new ChunkConsumer(arena, start.chunks);
  const tailWord = start.chunks.tailOffset >>> 2;
  let unreleased = 0;
  for (;;) {
    const offset = consumer.next();
    if (offset === 0 || unreleased === releaseEvery) {
      consumer.release();
      Atomics.notify(words, tailWord);
      unreleased = 0;
    }
    if (offset === 0) {
      waitForHead(consumer.headWord, consumer.headSeen());
      continue;
    }
    if (consumer.frameLength() === 0) return;
    gather(offset + frameHeaderBytes, consumer.frameLength() - frameHeaderBytes);
    consumer.finish(offset);
    unreleased += 1;
  }
}

parentPort?.postMessage('ready');
if (start.design === 'chunks') consumeChunks();
else consumeCopied();
