/**
 * Judges a run of the delivery's model when it is over: nothing lost, nothing doubled without cause, every key in its order, nothing
 * left behind. Test processes only.
 */
import { DeliveryRun } from './delivery-run.ts';
import type { World } from './delivery-world.ts';
import type { StoredRecord } from './model-kinesis.ts';

/** Virtual time after the last fault within which all is delivered. */
export const healedWithinMs = 200_000;

/** How long a parking waits for answers and what they mean: src/deliver/parking.ts. */
const patienceMs = 1_000;

/** Longest that a record waits for the survey that tells whether it is readable, with failures. */
const verdictMs = 30_000;

export interface Verdict {
  readonly run: DeliveryRun;
  /** What a run must never do and this one did; empty: all is well. */
  readonly broken: readonly string[];
  /** Virtual milliseconds from the end of all faults to the last delivery. */
  readonly tookMs: number;
}

export async function judge(world: World): Promise<Verdict> {
  const run = new DeliveryRun(world);
  const healMs = run.time.nowMs + world.healMs;
  const trafficMs = run.time.nowMs + Math.max(0, ...world.events.map(({ enterMs }) => enterMs));
  await run.time.pass(Math.max(healMs, trafficMs));
  const untilMs = run.time.nowMs + healedWithinMs;
  await run.time.pass(untilMs, () => run.isDone);
  const tookMs = run.time.nowMs - healMs;
  // Answers that are late, and the end of a parking.
  await run.time.pass(run.time.nowMs + 10_000);
  const broken = [...run.broken, ...run.kinesis.broken, ...left(run), ...copies(run), ...disorder(run)];
  run.delivery.close();
  return { run, broken, tookMs };
}

function left(run: DeliveryRun): string[] {
  const late = run.fates.flatMap((fate, number) =>
    fate === 'delivered' || fate === 'dead' ? [] : [`${number} ${fate}`],
  );
  if (late.length > 0) return [`${late.length} events are left behind, such as ${late.slice(0, 5).join(', ')}`];
  const wrong = run.fates.flatMap((fate, number) =>
    fate === 'dead' && !run.kinesis.poison.has(number) ? [number] : [],
  );
  if (wrong.length > 0) return [`dead letters without a cause: ${wrong.slice(0, 5).join(', ')}`];
  return run.delivery.idle ? [] : ['the delivery has nothing to do and is not idle'];
}

function copies(run: DeliveryRun): string[] {
  const byEvent: StoredRecord[][] = run.fates.map(() => []);
  for (const record of run.kinesis.stored) {
    if (record.readable) for (const event of record.events) byEvent[event]?.push(record);
  }
  return run.fates.flatMap((fate, number) => {
    const records = byEvent[number] as StoredRecord[];
    if (fate === 'delivered' && records.length === 0) return [`event ${number} is lost`];
    // The last copy needs no excuse; of a stream that was deleted nobody has any.
    const doubled = records
      .slice(0, -1)
      .filter((record) => record.incarnation === run.kinesis.incarnation && !isExcused(run, number, record));
    return doubled.length === 0 ? [] : [`event ${number} is stored ${records.length} times without cause`];
  });
}

/** Whether the sender could not know that the record was stored, or was told by then to give the event up. */
function isExcused(run: DeliveryRun, number: number, { request, storedMs }: StoredRecord): boolean {
  if (request.isAmbiguous) return true;
  // A verdict that waited: when it is asked for, the stream is under AUTO, which would have made the aggregate unreadable.
  if (run.kinesis.autoMs.some((atMs) => atMs > storedMs && atMs < storedMs + verdictMs)) return true;
  const setAside = run.setAsideMs[number] as readonly number[];
  const isOrdered = run.world.ordering === 'key';
  const isImpatient = (atMs: number): boolean => run.parkedMs.some((since) => atMs >= since + patienceMs);
  return setAside.some(
    (atMs) => atMs > request.sentMs && (!isOrdered || atMs <= request.answeredMs || isImpatient(atMs)),
  );
}

/** Order kept: the first copies of a key's events are in the order in which the events came. */
function disorder(run: DeliveryRun): string[] {
  if (run.world.ordering !== 'key') return [];
  const newest = new Map<string, number>();
  const seen = new Set<number>();
  const found: string[] = [];
  for (const { readable, events } of run.kinesis.stored) {
    if (!readable) continue;
    for (const number of events) {
      if (seen.has(number)) continue;
      seen.add(number);
      const { key } = run.world.events[number] as { key: string };
      const before = newest.get(key) ?? -1;
      if (number < before) found.push(`event ${number} of ${key} comes after ${before}`);
      newest.set(key, Math.max(before, number));
    }
  }
  return found.slice(0, 3);
}
