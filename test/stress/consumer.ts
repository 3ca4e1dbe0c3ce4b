/**
 * The reading thread of the ring's stress test. Started by producer.ts with its ring; ends when the last message is given
 * back, or after some faults. What it finds it counts where the other thread can see it, whatever becomes of this one.
 *
 * It reads some messages ahead, checks each as late as it may (just before it says that it is done), says so newest first, and
 * gives back what it can. When there is nothing to read it looks again for a while, for a wake costs as much as hundreds of
 * messages, and then sleeps; one time in many it sleeps at once, in the midst of what the producer publishes.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { openArena } from '../../src/ring/arena.ts';
import type { RingConsumer } from '../../src/ring/consumer.ts';
import type { RingWaiter } from '../../src/ring/waiting.ts';
import { type ConsumerStart, Found } from './findings.ts';
import { isWhole, sequenceAt } from './messages.ts';

const start = workerData as ConsumerStart;
const { place, lengths, messages } = start;
const arena = openArena(start.memory);
const Consumer = (await import(start.modules.consumer)).RingConsumer as typeof RingConsumer;
const Waiter = (await import(start.modules.waiting)).RingWaiter as typeof RingWaiter;
const consumer = new Consumer(arena, place);
const waiter = new Waiter(arena, [place]);

/** Most messages read and not finished. */
const aheadMax = 64;
/** After so many faults there is nothing more to learn. */
const faultsMax = 100;
/** Turns without a message before it sleeps: some 300 us, longer than the producer's pauses. */
const patienceTurns = 10_000;
/** And one empty turn in so many goes to sleep at once. */
const sleepAtOnceEvery = 20_011;
const offsets: number[] = [];
const { report } = start;
let expected = 0;
let emptyTurns = 0;
let looks = 0;

/**
 * Reads up to `aheadMax` messages and finishes those read before; the newest stays unfinished until the next turn, so that
 * there is always something that must not be given back. Returns how many it read.
 */
function turn(): number {
  const before = offsets.length;
  while (offsets.length < aheadMax) {
    const offset = consumer.next();
    if (offset === 0) break;
    const sequence = sequenceAt(arena, offset);
    if (sequence > expected) count(Found.skipped, sequence - expected);
    if (sequence < expected) count(Found.repeated, 1);
    expected = sequence + 1;
    offsets.push(offset);
  }
  const read = offsets.length - before;
  const first = expected - offsets.length;
  const finished = read === 0 ? offsets.length : offsets.length - 1;
  for (let i = finished - 1; i >= 0; i--) {
    if (!isWhole(arena, offsets[i] as number, first + i, lengths)) count(Found.torn, 1);
    consumer.markDelivered(offsets[i] as number);
  }
  offsets.splice(0, finished);
  while (consumer.advance() !== 0);
  consumer.release();
  if (finished > 0) count(Found.received, finished);
  return read;
}

function count(found: number, by: number): void {
  report[found] = (report[found] as number) + by;
}

function run(): void {
  for (let turns = 0; turns < 50_000; turns++) {
    if (turn() > 0) {
      emptyTurns = 0;
      continue;
    }
    if ((report[Found.received] as number) >= messages) break;
    emptyTurns++;
    if (emptyTurns < patienceTurns && ++looks % sleepAtOnceEvery !== 0) continue;
    emptyTurns = 0;
    const sleeping = waiter.sleep([consumer.headSeen()]);
    if (sleeping === undefined) continue;
    count(Found.sleeps, 1);
    void sleeping.then(run);
    return;
  }
  const faults = report[Found.skipped]! + report[Found.repeated]! + report[Found.torn]!;
  if (report[Found.received]! >= messages || faults > faultsMax) {
    parentPort?.postMessage('ended');
    parentPort?.close();
    return;
  }
  setImmediate(run);
}

// waitAsync does not keep a thread alive: the open port does.
parentPort?.on('message', () => {});
parentPort?.postMessage('ready');
run();
