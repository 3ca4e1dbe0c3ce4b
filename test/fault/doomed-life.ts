/**
 * A process that works on a real DLQ, on a real directory, until it is killed: from outside, or by itself at a failpoint. Started by
 * disk-lives.ts with a plan; it prints what it was promised and what it did, before the DLQ may know that it was done.
 *
 * ```
 *   b                          it opens the DLQ           r MS            it is open        t NAME    and this was left over
 *   n END                      numbers below are used     w ID ...        these are on disk
 *   d LOG SEQUENCE ID DIGEST   delivered                  a LOG SEQUENCE ID    moved: appended anew
 *   c STREAM=POSITION ...      a checkpoint is on disk    m STREAM=POSITION ... so are the journal's marks
 *   f                          it dies at its failpoint   e               it has closed in order
 * ```
 * LOG is the number of a stream, for its spills, or `j` and that number, for its part of the journal. Writes are synchronous: what it
 * said before its death was said.
 */
import { readdirSync, writeSync } from 'node:fs';
import type { DurableLogs } from '../../src/dlq/durable-logs.ts';
import { Kind } from '../../src/dlq/layout.ts';
import type { FsyncPolicy } from '../../src/dlq/options.ts';
import { Reason } from '../../src/dlq/reasons.ts';
import { Appended } from '../../src/dlq/series.ts';
import { RandomSequence } from '../../src/simulator/random-sequence.ts';
import { Queue } from '../dlq/queue.ts';
import { digestOf, doomedEvent, idOf, isDead, isJournalled, streamNames } from './doomed-events.ts';
import { doomedFiles, type Failpoint, type Lie } from './doomed-files.ts';

export interface LifePlan {
  readonly directory: string;
  readonly seed: number;
  /** Number of the first event that is its own. */
  readonly first: number;
  readonly fsync: FsyncPolicy;
  /** `all` of it; mostly `replay`, of a backlog that it makes first; or `drain`: take out all, and close in order. */
  readonly work: 'all' | 'replay' | 'drain';
  readonly failpoint?: Failpoint;
  readonly lie?: Lie;
  /** A control: it says that events are on disk as soon as they are appended. */
  readonly promisesEarly?: boolean;
}

/** The DLQ's timers and clock run so many times faster: a life of 50 ms has several checkpoints. */
const clockRate = 20;
const segmentBytes = 8_192;
const journalBytes = 96 * 1_024;
/** A replaying life has so many events to take out before it begins, at least. */
const backlogEvents = 600;
/** With more than that waiting, it takes out rather than put in. */
const spilledMost = 300;

const plan = JSON.parse(process.argv[2] as string) as LifePlan;
const dice = new RandomSequence(plan.seed);

/** A ring as the journal looks at it: each event takes 8 bytes. */
class Ring {
  readonly held: { readonly sequence: number; readonly id: number }[] = [];
  entered = 0;
  givenBack = 0;
  position(): number {
    return 8 * this.entered;
  }
  passed(position: number): boolean {
    return 8 * this.givenBack >= position;
  }
}

const rings = streamNames.map(() => new Ring());
let next = plan.first;
/** In the journal, and nobody was told that they are on disk. */
let unsaid: { readonly sequence: number; readonly id: number }[] = [];

function say(...lines: readonly string[]): void {
  if (lines.length > 0) writeSync(1, `${lines.join('\n')}\n`);
}

function positions(letter: string): (of: ReadonlyMap<string, number>) => void {
  return (of) => say(`${letter} ${streamNames.map((name, stream) => `${stream}=${of.get(name) ?? 0}`).join(' ')}`);
}

function durable(sequence: number): void {
  const ids = unsaid.filter((one) => one.sequence <= sequence).map(({ id }) => id);
  unsaid = unsaid.filter((one) => one.sequence > sequence);
  if (ids.length > 0) say(`w ${ids.join(' ')}`);
}

async function openQueue(): Promise<{ readonly queue: Queue; readonly logs: DurableLogs }> {
  say('b');
  const startMs = performance.now();
  const nowMs = (): number => Math.floor(1.7e12 + startMs + (performance.now() - startMs) * clockRate);
  const queue = await Queue.open({ teardown: () => undefined }, plan.directory, {
    fsync: plan.fsync,
    segmentBytes,
    blockBytes: 1_024,
    blockCount: 16,
    files: doomedFiles({
      failpoint: plan.failpoint,
      lie: plan.lie,
      syncsNames: plan.fsync.kind !== 'none',
      strikes: () => say('f'),
      checkpointed: positions('c'),
      marked: positions('m'),
    }),
    clock: {
      nowMs,
      after: (delayMs, run) => {
        const timer = setTimeout(run, delayMs / clockRate);
        return () => clearTimeout(timer);
      },
    },
  });
  const watch = {
    durable: (log: 'journal' | number, sequence: number) => void (log === 'journal' && durable(sequence)),
    lost: () => {
      throw new Error('a sync of the journal has failed');
    },
    journalSynced: () => undefined,
  };
  const logs = queue.openJournal(rings, watch, { maxBytes: journalBytes });
  logs.mustSync();
  say(`r ${(performance.now() - startMs).toFixed(1)}`);
  say(...readdirSync(plan.directory).flatMap((name) => (name.endsWith('.tmp') ? [`t ${name}`] : [])));
  return { queue, logs };
}

/** Puts some in: spills and dead letters into the DLQ, the others into their ring and the journal. */
async function burst(queue: Queue, logs: DurableLogs, events: number, kinds: 'all' | 'spills'): Promise<void> {
  say(`n ${next + events}`);
  const appended: number[] = [];
  for (let left = events; left > 0; left--, next++) {
    const event = doomedEvent(next);
    if (kinds === 'all' && isJournalled(next)) {
      if (queue.offerJournal(event) !== Appended.ok) continue;
      const ring = rings[event.stream] as Ring;
      const place = { sequence: logs.journal.lastSequence, id: next };
      ring.held.push(place);
      ring.entered++;
      unsaid.push(place);
      continue;
    }
    const isDeadLetter = kinds === 'all' && isDead(next);
    if (isDeadLetter) await queue.append({ ...event, reason: Reason.rejected }, Kind.dead);
    else await queue.append(event);
    appended.push(next);
  }
  logs.commit('journal');
  if (plan.promisesEarly) say(`w ${appended.join(' ')}`);
  if (dice.next() < 0.3) return;
  if (!(await queue.dlq.flush())) throw new Error('the disk fails');
  if (appended.length > 0) say(`w ${appended.join(' ')}`);
}

/**
 * Takes some out of a stream's spills; false: there are none. Of those that come for the first time some are not delivered, but
 * appended anew.
 */
async function replay(queue: Queue, stream: number, events: number, mayMove: boolean): Promise<boolean> {
  const cursor = queue.dlq.cursor(stream);
  if (!(await cursor.load())) return false;
  const said: string[] = [];
  for (let left = events; left > 0 && cursor.next(); left--) {
    const event = queue.current(stream);
    const [id, place] = [idOf(event), `${stream} ${cursor.position}`];
    if (!mayMove || id % 7 !== 1 || event.attempts > 0) {
      said.push(`d ${place} ${id} ${digestOf(event)}`);
      continue;
    }
    // Said before: the copy may be on disk before the next line is.
    say(`a ${place} ${id}`);
    const reason = Math.min(event.reason, Reason.expired);
    if (queue.offer({ ...event, reason, attempts: 1 }) === Appended.ok) continue;
    cursor.unread();
    break;
  }
  say(...said);
  queue.dlq.checkpoint(stream, cursor.position);
  return true;
}

/** A ring gives back its oldest: delivered, or, some of them, moved to the DLQ. */
function giveBack(queue: Queue, logs: DurableLogs, stream: number): void {
  const ring = rings[stream] as Ring;
  const said: string[] = [];
  for (let left = dice.below(ring.held.length + 1); left > 0; left--) {
    const { sequence, id } = ring.held[0] as { sequence: number; id: number };
    if (id % 5 === 0) {
      say(`a j${stream} ${sequence} ${id}`);
      if (queue.offer({ ...doomedEvent(id), reason: Reason.expired, attempts: 1 }) !== Appended.ok) break;
      logs.journal.moved();
    } else said.push(`d j${stream} ${sequence} ${id} ${digestOf(doomedEvent(id))}`);
    ring.held.shift();
    ring.givenBack++;
  }
  say(...said);
  logs.journal.trim();
}

const soon = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));

async function liveAll(queue: Queue, logs: DurableLogs): Promise<never> {
  for (;;) {
    const choice = dice.next();
    const stream = dice.below(streamNames.length);
    if (choice < 0.15) await soon(1 + dice.below(4));
    else if (choice < 0.45) giveBack(queue, logs, stream);
    else if (choice < 0.7 || queue.dlq.holdings(undefined).spilled > spilledMost) {
      await replay(queue, stream, dice.below(24), true);
    } else await burst(queue, logs, 1 + dice.below(12), 'all');
  }
}

async function liveReplaying(queue: Queue, logs: DurableLogs): Promise<never> {
  const spilled = (): number => queue.dlq.holdings(undefined).spilled;
  while (spilled() < backlogEvents) await burst(queue, logs, 100, 'spills');
  for (;;) {
    if (spilled() < backlogEvents / 2) await burst(queue, logs, 50, 'spills');
    for (let stream = 0; stream < streamNames.length; stream++) await replay(queue, stream, 1 + dice.below(8), true);
    await soon(1);
  }
}

const { queue, logs } = await openQueue();
if (plan.work === 'all') await liveAll(queue, logs);
else if (plan.work === 'replay') await liveReplaying(queue, logs);
for (let stream = 0; stream < streamNames.length; stream++) {
  while (await replay(queue, stream, Number.POSITIVE_INFINITY, false));
}
await queue.close();
say('e');
