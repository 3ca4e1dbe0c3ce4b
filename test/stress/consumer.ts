/**
 * The reading thread of the ring's stress test. Started by producer.ts with its ring; posts a report when the last message is
 * given back or after the first hundred faults.
 *
 * It reads some messages ahead, checks each as late as it may (just before it says that it is done), says so newest first, and
 * gives back what it can. When there is nothing to read it looks again for a while, for a wake costs as much as hundreds of
 * messages, and then sleeps; one time in many it sleeps at once, in the midst of what the producer publishes.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { openArena } from '../../src/ring/arena.ts';
import type { RingConsumer } from '../../src/ring/consumer.ts';
import type { RingWaiter } from '../../src/ring/waiting.ts';
import { isWhole, sequenceAt } from './messages.ts';
import type { ConsumerReport, ConsumerStart } from './producer.ts';

const start = workerData as ConsumerStart;
const { place, lengths, messages } = start;
const arena = openArena(start.memory);
const Consumer = (await import(start.modules.consumer)).RingConsumer as typeof RingConsumer;
const Waiter = (await import(start.modules.waiting)).RingWaiter as typeof RingWaiter;
const consumer = new Consumer(arena, place);
const waiter = new Waiter(arena, place);

const aheadMax = 64;
/** Turns without a message before it sleeps: some 50 us. */
const patienceTurns = 2_000;
/** And one empty turn in so many goes to sleep at once. */
const sleepAtOnceEvery = 20_011;
let emptyTurns = 0;
let looks = 0;
const offsets = new Uint32Array(aheadMax);
const report: ConsumerReport = { received: 0, skipped: 0, repeated: 0, torn: 0, sleeps: 0, checksum: 0 };
let expected = 0;
let faults = 0;

/** Reads up to `aheadMax` messages, checks and finishes them; returns how many there were. */
function turn(): number {
  let count = 0;
  for (let offset = consumer.next(); offset !== 0; offset = consumer.next()) {
    offsets[count++] = offset;
    if (count === aheadMax) break;
  }
  const first = expected;
  for (let i = 0; i < count; i++) {
    const sequence = sequenceAt(arena, offsets[i] as number);
    if (sequence > expected) report.skipped += sequence - expected;
    if (sequence < expected) report.repeated++;
    if (sequence !== expected) faults++;
    expected = sequence + 1;
  }
  for (let i = count - 1; i >= 0; i--) {
    const offset = offsets[i] as number;
    if (!isWhole(arena, offset, first + i, lengths)) {
      report.torn++;
      faults++;
    }
    consumer.markDelivered(offset);
  }
  report.received += count;
  report.checksum = (report.checksum + first * count) | 0;
  while (consumer.advance() !== 0);
  consumer.release();
  return count;
}

function run(): void {
  for (let turns = 0; turns < 50_000; turns++) {
    if (turn() > 0) {
      emptyTurns = 0;
      continue;
    }
    if (report.received >= messages) break;
    emptyTurns++;
    if (emptyTurns < patienceTurns && ++looks % sleepAtOnceEvery !== 0) continue;
    emptyTurns = 0;
    const sleeping = waiter.sleep(consumer.headSeen());
    if (sleeping === undefined) continue;
    report.sleeps++;
    void sleeping.then(run);
    return;
  }
  if (report.received >= messages || faults > 100) {
    parentPort?.postMessage(report);
    parentPort?.close();
    return;
  }
  setImmediate(run);
}

// waitAsync does not keep a thread alive: the open port does.
parentPort?.on('message', () => {});
parentPort?.postMessage('ready');
run();
