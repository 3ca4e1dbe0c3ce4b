/**
 * Makes what keeps the order of each stream that wants it, and wires it to admission, lanes, DLQ and replay. Main thread; the
 * daemon calls it once, when all of them are there.
 */
import type { Dlq } from '../dlq/dlq.ts';
import type { Admission, AdmissionRing } from '../ingress/admission.ts';
import type { Log } from '../observe/log.ts';
import { entryHeaderBytes } from '../ring/layout.ts';
import type { ToLane } from '../threads/messages.ts';
import type { Config } from './config.ts';
import { OrderedSpill, type OrderState } from './ordered-spill.ts';
import type { Returns } from './returns.ts';
import type { StreamReplay } from './stream-replay.ts';

/** What an entry of the DLQ has beside its event and the name of its stream, with the room that keeps it aligned. */
const dlqEntryRoomBytes = 64;

export interface OrdersParts {
  /** As it is in force: a reload may change it. */
  readonly config: () => Config;
  readonly admission: Admission;
  readonly dlq: Dlq;
  readonly returns: Returns;
  readonly replays: readonly StreamReplay[];
  /** Of a stream, one per lane. */
  readonly ringsOf: (stream: number) => readonly AdmissionRing[];
  readonly send: (lane: number, message: ToLane) => void;
  readonly nowMs: () => number;
  readonly log: Log;
}

/** By stream; none of a stream that keeps no order. */
export function createOrders(parts: OrdersParts): (OrderedSpill | undefined)[] {
  return parts
    .config()
    .streams.map(({ ordering }, stream) => (ordering === 'key' ? createOrder(parts, stream) : undefined));
}

function createOrder(parts: OrdersParts, stream: number): OrderedSpill {
  const { config, admission, dlq, returns, replays, send, nowMs, log } = parts;
  const options = (): Config['streams'][number] => config().streams[stream] as Config['streams'][number];
  const { name } = options();
  return new OrderedSpill({
    lanes: config().daemon.lanes,
    parkedMsLeast: () => config().breaker.halfOpenAfterMs,
    nowMs,
    publish: () => admission.commit(),
    tell: (lane, type) => send(lane, { type, stream }),
    isMoving: () => returns.isMoving(stream),
    hasRoom: () => dlq.hasRoom(bytesInDlq(parts.ringsOf(stream), name)),
    isUnavailable: () => admission.isUnavailable(stream),
    isOverdue: () => admission.oldestMs(stream) > options().deadlineMs,
    spilled: () => {
      const { spilled, spilledBytes } = dlq.holdings(stream);
      return { events: spilled, bytes: spilledBytes };
    },
    isCounted: () => dlq.isIndexed,
    replay: replays[stream] as StreamReplay,
    moved: (from, to, cause) => {
      admission.refresh();
      logMove(log, name, from, to, cause);
    },
  });
}

/** Most that the entries of these rings take in the DLQ: each is at least as long as its header in the ring. */
function bytesInDlq(rings: readonly AdmissionRing[], name: string): number {
  const usedBytes = rings.reduce((sum, { ring }) => sum + ring.usedBytes(), 0);
  return usedBytes + (usedBytes / entryHeaderBytes) * (dlqEntryRoomBytes + Buffer.byteLength(name));
}

function logMove(log: Log, stream: string, from: OrderState, to: OrderState, cause: string): void {
  // Replaying and joining may follow each other for as long as senders are faster than the replay: nobody needs to hear of it.
  const level = from === 'joining' && to === 'replaying' ? 'debug' : 'info';
  log[level]('dlq', `order of stream ${stream}: ${from} to ${to}`, { event: `order_${to}`, stream, cause });
}
