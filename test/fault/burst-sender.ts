/**
 * Offers numbered events in small bursts, each judged before the next goes out, and remembers which were refused. For tests that
 * ask how a daemon in trouble answers.
 */
import { type Client, connect } from '../../src/client/client.ts';
import { type Rig, until } from '../daemon/running.ts';

const burstEvents = 50;

export interface Burst {
  readonly accepted: number;
  readonly refused: number;
  /** From the sending of its first event to the judgement of its last. */
  readonly tookMs: number;
}

export class BurstSender {
  /** Numbers of the events that were refused. */
  readonly refused = new Set<number>();
  readonly codes = new Set<string>();
  readonly #rig: Rig;
  readonly #client: Client;
  #sent = 0;

  private constructor(rig: Rig, client: Client) {
    this.#rig = rig;
    this.#client = client;
  }

  static async start(rig: Rig, path: string, ack: 'memory' | 'disk' = 'memory'): Promise<BurstSender> {
    const client = await connect({
      path,
      ack,
      onRefusal: ({ code, first, count }) => {
        sender.codes.add(code);
        for (let number = first; number < first + count; number++) sender.refused.add(number - 1);
      },
    });
    const sender = new BurstSender(rig, client);
    return sender;
  }

  /** Sends bursts until `done`; resolves with the last one. */
  until(done: (burst: Burst) => boolean): Promise<Burst> {
    return until(() => this.#burst(), done);
  }

  /** Numbers [0, accepted + refused.size) were sent. */
  async end(): Promise<{ accepted: number; refused: ReadonlySet<number>; codes: ReadonlySet<string> }> {
    const { accepted } = await this.#client.close();
    return { accepted, refused: this.refused, codes: this.codes };
  }

  async #burst(): Promise<Burst> {
    const [startMs, refusedBefore] = [performance.now(), this.refused.size];
    const { events } = this.#rig;
    for (let i = 0; i < burstEvents; i++, this.#sent++) {
      this.#client.send(events.keyOf(this.#sent), events.dataOf(this.#sent));
    }
    await this.#client.flush();
    const refused = this.refused.size - refusedBefore;
    return { accepted: burstEvents - refused, refused, tookMs: performance.now() - startMs };
  }
}
