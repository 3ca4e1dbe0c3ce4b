/**
 * Starts a sender process (sender.ts) and speaks to it. Used by the lanes.
 */
import { fork } from 'node:child_process';
import type { EventBytes } from '../../daemon/numbered-events.ts';
import type { Ending } from '../../daemon/running.ts';

export interface SenderPlan {
  /** The daemon's unix socket. */
  readonly path: string;
  readonly events: EventBytes;
  /** Number of the first event. */
  readonly from: number;
  /** How many; absent: until it is told to stop. */
  readonly count?: number;
  /** Absent: as many as the window allows. */
  readonly eventsPerSecond?: number;
  readonly windowBytes?: number;
  /** Absent: the listener's. */
  readonly ack?: 'memory' | 'disk' | 'stream';
  /** Name of the time that begins with the first event. */
  readonly phase: string;
}

export type ToSender = { readonly phase: string } | { readonly stop: true };

interface Percentiles {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

/** Of the answers to the events of one phase. */
export interface Latency {
  readonly count: number;
  /** From when an event was due by the rate. */
  readonly sinceDue: Percentiles;
  /** From when it was handed to the socket. */
  readonly sinceSent: Percentiles;
}

export interface SenderReport {
  readonly sent: number;
  readonly accepted: number;
  readonly refusedEvents: number;
  readonly refused: Readonly<
    Record<string, { events: number; retryable: boolean; retryAfterMsMin: number; retryAfterMsMax: number }>
  >;
  /** Numbers [from, to) of the refused events, in order. */
  readonly refusedRanges: readonly { readonly from: number; readonly to: number }[];
  /** Time in which the window was full. */
  readonly heldMs: number;
  /** By name, and `all` of them together. */
  readonly phases: Readonly<Record<string, Latency>>;
}

export interface Sender {
  /** What is answered from now on belongs to another phase. */
  phase(name: string): void;
  /** Sends no more; resolves when every event has its answer. */
  stop(): Promise<SenderReport>;
  /** Resolves when it has sent what it was to send and has every answer, or has lost the daemon. */
  readonly report: Promise<SenderReport>;
}

/** Resolves when the sender is connected. */
export async function startSender(ending: Ending, plan: SenderPlan): Promise<Sender> {
  const child = fork(new URL('./sender.js', import.meta.url), [JSON.stringify(plan)]);
  ending.teardown(async () => void child.kill('SIGKILL'));
  const ended = new Promise<never>((_, reject) => {
    child.once('exit', (code) => reject(new Error(`the sender ended with ${code}`)));
  });
  const message = (): Promise<unknown> => new Promise((resolve) => child.once('message', resolve));
  await Promise.race([message(), ended]);
  const report = Promise.race([message(), ended]) as Promise<SenderReport>;
  // A sender that breaks off is heard of by whoever waits for its report, not before.
  report.catch(() => {});
  const order = (toSender: ToSender): void => void child.send(toSender);
  return {
    phase: (name) => order({ phase: name }),
    stop: () => {
      order({ stop: true });
      return report;
    },
    report,
  };
}
