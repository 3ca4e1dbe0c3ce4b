/**
 * A sender of numbered events over the frame protocol, as a process of its own: at a fixed rate whatever the daemon does (open
 * loop), or as fast as the client's window lets it. Started by sending.ts with a plan; it is told `phase` and `stop`.
 *
 * Latency is that of the daemon's answer to an event, accepted or refused. It is counted twice: from the moment when the
 * event was due by the rate, which also holds this process's own delays, and from the moment when it was handed to the socket.
 */
import { SpillwayError } from '../../../src/base/errors.ts';
import { connect } from '../../../src/client/client.ts';
import { type Histogram, intervalHistogram, percentileUs, startHistograms } from '../../../src/observe/histogram.ts';
import { NumberedEvents } from '../../daemon/numbered-events.ts';
import type { Latency, SenderPlan, SenderReport, ToSender } from './sending.ts';

if (process.argv[2] === undefined || process.send === undefined) throw new Error('sending.ts starts this process');
const plan = JSON.parse(process.argv[2]) as SenderPlan;
const events = new NumberedEvents(plan.events);
const engine = startHistograms();

/** Events handed over in one turn, with their number's end, when the first was due, and when they went. */
interface Burst {
  readonly end: number;
  readonly dueMs: number;
  readonly sentMs: number;
}
/** Most events of one turn: a sender that is late must still read its answers. */
const burstEventsMax = 2_000;

let phase = plan.phase;
let sinceDue: Histogram = intervalHistogram(engine);
let sinceSent: Histogram = intervalHistogram(engine);
const all = { sinceDue: intervalHistogram(engine), sinceSent: intervalHistogram(engine) };
const phases: Record<string, Latency> = {};
const refused: Record<
  string,
  { events: number; retryable: boolean; retryAfterMsMin: number; retryAfterMsMax: number }
> = {};
const refusedRanges: { from: number; to: number }[] = [];
const bursts: Burst[] = [];
let firstBurst = 0;
let answered = 0;
const stopping = { asked: false };
let held = false;
let heldMs = 0;
let heldSinceMs = 0;

const client = await connect({
  path: plan.path,
  ...(plan.ack === undefined ? {} : { ack: plan.ack }),
  ...(plan.windowBytes === undefined ? {} : { windowBytes: plan.windowBytes }),
  onAck: (number) => answer(number),
  onRefusal: ({ code, first, count, retryable, retryAfterMs }) => {
    const last = refusedRanges.at(-1);
    if (last !== undefined && last.to === plan.from + first - 1) last.to += count;
    else refusedRanges.push({ from: plan.from + first - 1, to: plan.from + first - 1 + count });
    const sum = refused[code] ?? { events: 0, retryable, retryAfterMsMin: Infinity, retryAfterMsMax: 0 };
    sum.events += count;
    sum.retryAfterMsMin = Math.min(sum.retryAfterMsMin, retryAfterMs);
    sum.retryAfterMsMax = Math.max(sum.retryAfterMsMax, retryAfterMs);
    refused[code] = sum;
  },
  onDrain: () => {
    held = false;
    heldMs += performance.now() - heldSinceMs;
  },
  // A sender that is held waits for nobody any more.
  onClose: () => {
    stopping.asked = true;
  },
});
process.on('disconnect', () => process.exit(1));
process.on('message', (message: ToSender) => {
  if ('stop' in message) stopping.asked = true;
  else changePhase(message.phase);
});
process.send({ started: true });
try {
  await send();
  await client.close();
} catch (error) {
  // The daemon was killed: what it had answered until then is the report.
  if (!(error instanceof SpillwayError && error.code === 'connection_lost')) throw error;
}
const { accepted, refused: refusedEvents } = client.judged;
changePhase('');
phases['all'] = latencyOf(all.sinceDue, all.sinceSent);
const report: SenderReport = { sent: client.sent, accepted, refusedEvents, refused, refusedRanges, heldMs, phases };
process.send(report, () => process.disconnect());

async function send(): Promise<void> {
  const startMs = performance.now();
  const count = plan.count ?? Number.POSITIVE_INFINITY;
  const perMs = plan.eventsPerSecond === undefined ? Number.POSITIVE_INFINITY : plan.eventsPerSecond / 1000;
  let sent = 0;
  while (sent < count && !stopping.asked) {
    const nowMs = performance.now();
    // While it was held back, a sender made nothing: its rate goes on from there.
    const due = Math.min(count, perMs === Infinity ? count : Math.floor((nowMs - startMs - heldMs) * perMs));
    const end = held ? sent : Math.min(due, sent + burstEventsMax);
    if (end > sent) {
      const dueMs = perMs === Infinity ? nowMs : startMs + heldMs + sent / perMs;
      while (sent < end && !held) {
        if (!client.send(events.keyOf(plan.from + sent), events.dataOf(plan.from + sent))) hold(nowMs);
        sent++;
      }
      bursts.push({ end: sent, dueMs, sentMs: nowMs });
    }
    await (end < due && !held ? immediate() : soon());
  }
}

function hold(nowMs: number): void {
  held = true;
  heldSinceMs = nowMs;
}

/** Counts the events up to `number`, which the daemon has answered. */
function answer(number: number): void {
  const nowMs = performance.now();
  while (answered < number) {
    const burst = bursts[firstBurst] as Burst;
    const end = Math.min(number, burst.end);
    for (const histogram of [sinceDue, all.sinceDue]) record(histogram, nowMs - burst.dueMs, end - answered);
    for (const histogram of [sinceSent, all.sinceSent]) record(histogram, nowMs - burst.sentMs, end - answered);
    answered = end;
    if (end === burst.end) firstBurst++;
  }
  if (firstBurst > 10_000) bursts.splice(0, firstBurst);
  if (bursts.length === 0 || firstBurst > 10_000) firstBurst = 0;
}

function record(histogram: Histogram, tookMs: number, count: number): void {
  histogram.recordValueWithCount(Math.max(0, Math.round(tookMs * 1000)), count);
}

function latencyOf(due: Histogram, sent: Histogram): Latency {
  return { count: sent.totalCount, sinceDue: percentiles(due), sinceSent: percentiles(sent) };
}

function changePhase(next: string): void {
  phases[phase] = latencyOf(sinceDue, sinceSent);
  for (const histogram of [sinceDue, sinceSent]) histogram.destroy();
  [sinceDue, sinceSent] = [intervalHistogram(engine), intervalHistogram(engine)];
  phase = next;
}

function percentiles(histogram: Histogram): Latency['sinceDue'] {
  const [p50, p99, p999] = [50, 99, 99.9].map((percentile) => percentileUs(histogram, percentile) / 1000);
  return { p50Ms: p50 as number, p99Ms: p99 as number, p999Ms: p999 as number, maxMs: histogram.maxValue / 1000 };
}

function immediate(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The next millisecond: timers are not finer. */
function soon(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}
