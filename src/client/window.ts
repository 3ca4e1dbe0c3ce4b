/**
 * What a client has sent and what of it was judged, in events and in bytes. Runs in the sender's process; pure. Remembers one
 * mark per written block, not per event: an ack frees bytes in steps of blocks.
 */
import { assert } from '../base/assert.ts';

export class Window {
  #sent = 0;
  #acked = 0;
  #sentBytes = 0;
  #ackedBytes = 0;
  #marks: { readonly number: number; readonly bytes: number }[] = [];

  /** Number of the last event sent. */
  get sent(): number {
    return this.#sent;
  }
  /** Number up to which all events are judged. */
  get acked(): number {
    return this.#acked;
  }
  get unacked(): number {
    return this.#sent - this.#acked;
  }
  get unackedBytes(): number {
    return this.#sentBytes - this.#ackedBytes;
  }

  add(bytes: number): void {
    this.#sent += 1;
    this.#sentBytes += bytes;
  }

  /** Everything added so far has been written: an ack of the last number frees the bytes up to here. */
  mark(): void {
    this.#marks.push({ number: this.#sent, bytes: this.#sentBytes });
  }

  /** Events 1..number are judged. False when that cannot be: the daemon judged what was not sent. */
  ack(number: number): boolean {
    if (number < this.#acked || number > this.#sent) return false;
    this.#acked = number;
    let freed = 0;
    for (const mark of this.#marks) {
      if (mark.number > number) break;
      this.#ackedBytes = mark.bytes;
      freed += 1;
    }
    if (freed > 0) this.#marks.splice(0, freed);
    // Also what was added behind the last mark.
    if (number === this.#sent) this.#ackedBytes = this.#sentBytes;
    assert(this.#ackedBytes <= this.#sentBytes, 'no more bytes are acknowledged than were sent');
    return true;
  }
}
