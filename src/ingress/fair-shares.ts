/**
 * Who may still fill a saturated ring: a sender that asks for less than its equal share of what the lanes empty is let in where a
 * greedy one is turned away. Main thread; one per stream, kept by admission and used only while a breaker of the stream's rings is open.
 *
 * Time goes in windows. The share of one is what the lanes empty in it, divided by the senders that offered something in the one
 * before. What senders do not take of their shares goes to whoever comes first, by the ring's allowance (breaker/saturation.ts).
 */

/** One connection, or another source of events, as its listener tells it to the intake. */
export class Sender {
  /** Window of `bytes`: what it has put into the stream's rings. */
  window = 0;
  bytes = 0;
  /** Events that were refused for want of room. */
  turnedAway = 0;
  #turnedAwaySeen = 0;
  #sinceUs: number | undefined;

  /**
   * Told after each read, or request, whether it has brought events. For how long, in milliseconds, there was not room for all of
   * them; 0: now there was.
   */
  withoutRoomMs(broughtEvents: boolean, nowUs: number): number {
    if (this.turnedAway !== this.#turnedAwaySeen) {
      this.#turnedAwaySeen = this.turnedAway;
      this.#sinceUs ??= nowUs;
    } else if (broughtEvents) {
      this.#sinceUs = undefined;
    }
    return this.#sinceUs === undefined ? 0 : (nowUs - this.#sinceUs) / 1_000;
  }
}

/** Why a connection ends that was {@link Sender.withoutRoomMs} for too long. */
export function letGoRefusal(letGoAfterMs: number): { code: string; message: string; retryable: true } {
  const message = `there was no room for all of its events for ${letGoAfterMs} ms; connect again later, and send less`;
  return { code: 'overloaded', message, retryable: true };
}

const senders = new WeakMap<object, Sender>();

/** The sender at the other end of `connection`, whose requests share what it may. */
export function senderOf(connection: object): Sender {
  const known = senders.get(connection);
  if (known !== undefined) return known;
  const sender = new Sender();
  senders.set(connection, sender);
  return sender;
}

export const windowMs = 100;

/** What is guaranteed is less than what is emptied, so that a ring with more than its allowance comes down to it: soon, if it is crowded. */
const guaranteedShare = 0.9;
const guaranteedCrowded = 0.5;

export class FairShares {
  #window = 1;
  #sinceMs = 0;
  /** Senders that have offered something in this window. */
  #senders = 0;
  #shareBytes = 0;

  /** Whether the share of `sender` has room for so many bytes more. */
  covers(sender: Sender, bytes: number): boolean {
    this.#meet(sender);
    return sender.bytes + bytes <= this.#shareBytes;
  }

  /** So many bytes of `sender` are in a ring. */
  entered(sender: Sender, bytes: number): void {
    this.#meet(sender);
    sender.bytes += bytes;
  }

  /** The lanes empty the stream's rings at this rate. Begins the next window when it is time. */
  tick(drainBytesPerMs: number, isCrowded: boolean, nowMs: number): void {
    if (nowMs - this.#sinceMs < windowMs) return;
    const guaranteed = (isCrowded ? guaranteedCrowded : guaranteedShare) * drainBytesPerMs * windowMs;
    this.#shareBytes = this.#senders === 0 ? 0 : guaranteed / this.#senders;
    this.#sinceMs = nowMs;
    this.#senders = 0;
    this.#window += 1;
  }

  #meet(sender: Sender): void {
    if (sender.window === this.#window) return;
    sender.window = this.#window;
    sender.bytes = 0;
    this.#senders += 1;
  }
}
