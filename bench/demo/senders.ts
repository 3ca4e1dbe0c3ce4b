/**
 * The demo's senders, from the demo's side: starts their processes, gives them their stretches, adds up what they report. What
 * a sender does stands in sender.ts.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Chapter } from './plan.ts';
import type { FromSender, SenderOptions, Stretch, StretchReport } from './sender.ts';

export class Senders {
  readonly #children: readonly ChildProcess[];

  private constructor(children: readonly ChildProcess[]) {
    this.#children = children;
  }

  /** Resolves when all are connected. */
  static async start(count: number, options: SenderOptions): Promise<Senders> {
    const children = Array.from({ length: count }, () =>
      fork(new URL('./sender.js', import.meta.url), [JSON.stringify(options)], { execArgv: [] }),
    );
    const senders = new Senders(children);
    try {
      await Promise.all(children.map((child) => answer(child)));
    } catch (error) {
      await senders.stop();
      throw error;
    }
    return senders;
  }

  /** Sends a chapter's events, shared out one by one; resolves when all are judged. */
  async send({ from, to, senders, eventsPerSecond }: Chapter): Promise<StretchReport> {
    const reports = await Promise.all(
      this.#children.slice(0, senders).map(async (child, index) => {
        const order: Stretch = { from: from + index, to, step: senders, eventsPerSecond: eventsPerSecond / senders };
        // A sender that is gone is reported by answer().
        child.send(order, () => {});
        const answered = await answer(child);
        if (!('report' in answered)) throw new Error('a sender reported nothing');
        return answered.report;
      }),
    );
    return joined(reports);
  }

  async stop(): Promise<void> {
    await Promise.all(
      this.#children.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const exited = once(child, 'exit');
        child.kill('SIGTERM');
        await exited;
      }),
    );
  }
}

/** Several reports as one. */
export function joined(reports: readonly StretchReport[]): StretchReport {
  return {
    accepted: reports.reduce((sum, { accepted }) => sum + accepted, 0),
    refused: reports.reduce((sum, { refused }) => sum + refused, 0),
    ackUs: reports.flatMap(({ ackUs }) => ackUs),
  };
}

/** The next message of a sender; rejects with its error, or when it ends. */
function answer(child: ChildProcess): Promise<Exclude<FromSender, { error: string }>> {
  return new Promise((resolve, reject) => {
    const settle = (done: () => void): void => {
      child.off('message', heard);
      child.off('exit', ended);
      done();
    };
    const heard = (message: FromSender): void =>
      settle(() => ('error' in message ? reject(new Error(`a sender failed: ${message.error}`)) : resolve(message)));
    if (!child.connected) return reject(new Error('a sender has ended'));
    const ended = (code: number | null): void => settle(() => reject(new Error(`a sender ended with ${code}`)));
    child.on('message', heard);
    child.on('exit', ended);
  });
}
