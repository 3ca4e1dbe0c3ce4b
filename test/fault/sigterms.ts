/**
 * Ends a real daemon again and again with a signal while a sender sends some 20,000 events a second, at ack levels `memory` and `disk`
 * in turns, and says in the end what became of them. Used by the tests and the long lane of that name.
 *
 * ```
 *   this process ─ events, acks ─ daemon ─▶ simulator        daemon n: SIGTERM [and again, 50 ms later]; daemon n + 1 goes on with the rest
 * ```
 * In every fourth life Kinesis refuses everything: what was acknowledged must be on disk then.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { SpillwayError } from '../../src/base/errors.ts';
import { type Client, connect } from '../../src/client/client.ts';
import { type Ending, type Ledger, Rig, type RunningDaemon, until } from '../daemon/running.ts';

export interface SignalPlan {
  readonly lives: number;
  readonly signal: 'SIGTERM' | 'SIGKILL';
  readonly acks: readonly ('memory' | 'disk')[];
  /** The next number of [0, 1). */
  readonly random: () => number;
  readonly seed: number;
}

export interface SignalReport {
  readonly sent: number;
  readonly acked: number;
  readonly refused: number;
  /** Acknowledged, and not in the stream in the end. */
  readonly lost: number;
  readonly altered: number;
  readonly duplicated: number;
  /** Exit codes; those that a second signal met are among them. */
  readonly exitCodes: readonly (number | null)[];
  /** Second signals that a daemon got while it was ending. */
  readonly secondSignals: number;
  /** From the signal to the end of the process. */
  readonly endMs: readonly number[];
  /** From the daemon's last line to the end of the process. */
  readonly lingerMs: readonly number[];
  /** Daemons that began with events of those before them. */
  readonly heirs: number;
  readonly ledger: Ledger;
}

const eventsPerSecond = 20_000;
const burstMs = 5;
const lifeMsLeast = 30;
const lifeMsMost = 150;
const secondSignalMs = 50;
/** Numbers that one life may use. */
const lifeEvents = 6_000;
const settings = 'lanes = 1\ndrain_timeout = "300ms"';

export async function signalDaemons(ending: Ending, plan: SignalPlan): Promise<SignalReport> {
  const { lives, random } = plan;
  const rig = await Rig.start(ending, plan.seed, { keepBytes: 2 * 1024 ** 3 });
  const acked = new Uint8Array(lives * lifeEvents);
  const ends: End[] = [];
  let [sent, refused, heirs] = [0, 0, 0];
  const start = (): Promise<RunningDaemon> => rig.daemon('linger = "20ms"', '', { daemonLines: settings });
  for (let life = 0; life < lives; life++) {
    await rig.simulator.faults(life % 4 === 3 ? { refuse: true } : { latencyMs: Math.floor(30 * random()) });
    const daemon = await start();
    if ((await daemon.ledger()).recovered > 0) heirs++;
    const ack = plan.acks[life % plan.acks.length] as 'memory' | 'disk';
    const sender = await Sender.start(rig, daemon.socket, ack, life * lifeEvents);
    await sleep(lifeMsLeast + random() * (lifeMsMost - lifeMsLeast));
    ends.push(await end(daemon, plan.signal, life % 3 === 2));
    const judged = await sender.end();
    acked.fill(1, sender.from, sender.from + judged);
    for (const number of sender.refused) acked[number] = 0;
    sent += sender.sent;
    refused += sender.refused.length;
  }
  await rig.simulator.faults({});
  const last = await start();
  const ledger = await until(
    () => last.ledger(),
    ({ inFlight, dlq }) => inFlight === 0 && dlq === 0,
  );
  ends.push(await end(last, 'SIGTERM', false));
  const oracle = await rig.readBack(acked.length);
  let lost = 0;
  for (let id = 0; id < acked.length; id++) if (acked[id] === 1 && oracle.seen[id] === 0) lost++;
  return {
    sent,
    acked: acked.reduce((sum, one) => sum + one, 0),
    refused,
    lost,
    altered: oracle.altered,
    duplicated: oracle.counts().duplicated,
    exitCodes: ends.map(({ exitCode }) => exitCode),
    secondSignals: ends.filter(({ isSignalledTwice }) => isSignalledTwice).length,
    endMs: ends.map(({ endMs }) => endMs),
    lingerMs: ends.flatMap(({ lingerMs }) => lingerMs ?? []),
    heirs,
    ledger,
  };
}

interface End {
  readonly exitCode: number | null;
  readonly endMs: number;
  readonly lingerMs: number | undefined;
  readonly isSignalledTwice: boolean;
}

async function end(daemon: RunningDaemon, signal: 'SIGTERM' | 'SIGKILL', isTwice: boolean): Promise<End> {
  const signalMs = performance.now();
  let [isSignalledTwice, stoppedMs] = [false, Number.NaN];
  daemon.process.kill(signal);
  const again = setTimeout(() => {
    isSignalledTwice = daemon.process.exitCode === null && daemon.process.kill(signal);
  }, secondSignalMs);
  if (!isTwice) clearTimeout(again);
  void daemon
    .line(({ kind, state }) => kind === 'stop' && state === 'stopped')
    .then(
      () => (stoppedMs = performance.now()),
      () => undefined,
    );
  const exitCode = await daemon.exited;
  clearTimeout(again);
  const endedMs = performance.now();
  const lingerMs = Number.isNaN(stoppedMs) ? undefined : endedMs - stoppedMs;
  return { exitCode, endMs: endedMs - signalMs, lingerMs, isSignalledTwice };
}

/** Sends at a fixed rate until the daemon is gone, and remembers what it was told. */
class Sender {
  readonly from: number;
  /** Numbers of the events that were refused. */
  readonly refused: number[] = [];
  sent = 0;
  readonly #rig: Rig;
  readonly #client: Client;
  readonly #timer: NodeJS.Timeout;
  readonly #startMs = performance.now();
  #judged = 0;

  private constructor(rig: Rig, client: Client, from: number) {
    this.#rig = rig;
    this.#client = client;
    this.from = from;
    this.#timer = setInterval(() => this.#send(), burstMs);
  }

  static async start(rig: Rig, path: string, ack: 'memory' | 'disk', from: number): Promise<Sender> {
    const client = await connect({
      path,
      ack,
      onAck: (number) => {
        sender.#judged = number;
      },
      onRefusal: ({ first, count }) => {
        for (let number = first; number < first + count; number++) sender.refused.push(from + number - 1);
      },
    });
    const sender = new Sender(rig, client, from);
    return sender;
  }

  #send(): void {
    const due = Math.min(lifeEvents, Math.floor(((performance.now() - this.#startMs) * eventsPerSecond) / 1_000));
    const { events } = this.#rig;
    try {
      for (; this.sent < due; this.sent++) {
        const id = this.from + this.sent;
        if (this.#client.send(events.keyOf(id), events.dataOf(id))) continue;
        this.sent++;
        break;
      }
    } catch (error) {
      if (!(error instanceof SpillwayError)) throw error;
      // A full window has room again after some answers; all else says that the daemon ends, or is gone.
      if (error.code !== 'window_full') clearInterval(this.#timer);
    }
  }

  /** How many were answered, with a refusal or an acknowledgement. The daemon is gone. */
  async end(): Promise<number> {
    clearInterval(this.#timer);
    await this.#client.close().catch((error: unknown) => {
      if (!(error instanceof SpillwayError)) throw error;
    });
    return this.#judged;
  }
}
