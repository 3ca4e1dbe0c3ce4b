/**
 * One sender of the demo: a process of its own, as a program that uses spillway's client would be. Forked by senders.ts, which
 * orders stretches of events by IPC; it ends with its parent. It sends on a fixed schedule and never slows down by itself, so
 * that whatever the daemon does to its senders shows in its figures.
 */
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { connect } from '../../src/client/client.ts';
import { Pacer } from '../../src/client/pacer.ts';
import { Flights } from './flights.ts';

export interface SenderOptions {
  readonly socket: string;
  /** Events of the whole day. */
  readonly events: number;
}

/** Events `from`, `from + step`, ... below `to`. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
  readonly step: number;
  readonly eventsPerSecond: number;
}

export interface StretchReport {
  readonly accepted: number;
  readonly refused: number;
  /** From writing a burst of events until the daemon has acknowledged its last one; microseconds, one per burst. */
  readonly ackUs: readonly number[];
}

export type FromSender = { readonly ready: true } | { readonly report: StretchReport } | { readonly error: string };

/** Events that are sent without letting the socket have its turn, when the schedule is behind. */
const eventsPerTurn = 512;

// Ctrl-C in the terminal is the parent's business.
process.on('SIGINT', () => {});
process.on('disconnect', () => process.exit(0));
const tell = (message: FromSender): void => void process.send?.(message);

const { socket, events } = JSON.parse(process.argv[2] ?? '{}') as SenderOptions;
const flights = new Flights(events);
const bursts: { readonly number: number; readonly atMs: number }[] = [];
let ackUs: number[] = [];
let drained = (): void => {};

const client = await connect({
  path: socket,
  onAck: (number) => {
    const nowMs = performance.now();
    const judged = bursts.findIndex((burst) => burst.number > number);
    for (const { atMs } of bursts.splice(0, judged < 0 ? bursts.length : judged)) ackUs.push((nowMs - atMs) * 1000);
  },
  onDrain: () => drained(),
  onClose: ({ error }) => {
    if (error !== undefined) tell({ error: error.message });
  },
});
process.on('message', (stretch: Stretch) => {
  run(stretch).then(
    (report) => tell({ report }),
    (error: unknown) => tell({ error: String(error) }),
  );
});
tell({ ready: true });

/** Sends one stretch on its schedule; resolves when all of it is judged. */
async function run({ from, to, step, eventsPerSecond }: Stretch): Promise<StretchReport> {
  const before = client.judged;
  const pacer = new Pacer(eventsPerSecond, () => performance.now());
  ackUs = [];
  let sinceTurn = 0;
  for (let n = from; n < to; n += step) {
    const { key, data } = flights.event(n);
    const room = client.send(key, data);
    const waitMs = pacer.next();
    sinceTurn += 1;
    if (!room) {
      await new Promise<void>((resolve) => {
        drained = resolve;
      });
    } else if (waitMs > 0 || sinceTurn === eventsPerTurn) {
      bursts.push({ number: client.sent, atMs: performance.now() });
      sinceTurn = 0;
      await (waitMs > 0 ? sleep(waitMs) : turn());
    }
  }
  const { accepted, refused } = await client.flush();
  return { accepted: accepted - before.accepted, refused: refused - before.refused, ackUs };
}
