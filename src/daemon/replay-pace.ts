/**
 * How much of a backlog may be on its way from the DLQ at one time: so much that the lanes are kept busy, and so little that
 * fresh events, which wait behind it in the same rings, wait hardly longer than without it. Main thread; pure: the replayer tells
 * it what was delivered and how long that took.
 *
 * ```
 *   delay of what was replayed
 *   0 ──────── 3/4 linger, or least + 25 ms ─── linger + 20 ms, or least + 50 ms ──▶   the later one of each; least: seen lately
 *     grows by 1/16, or doubles      │        stays        │   shrinks by 1/4
 * ```
 * It shrinks when all that was done in the last {@link lookMs} was late: one late answer may be the destination's own doing, and a
 * smaller window would make none earlier.
 *
 * Lanes send what was replayed without lingering for long, and live events with it: so the queue may last as long as a live
 * event would linger without it, and those are hardly later for it.
 *
 * It doubles while it is smaller than it was when it last shrank: a delay is known only when it has passed, and a window that
 * went on doubling for so long would end at twice of what it should be.
 *
 * Whatever an event needs, the delay stays below open_after as well: else the rings would be filled in a moment with what takes
 * the lanes seconds, their breakers would open, fresh events would queue behind the backlog on disk, and that again and again.
 *
 * The least delay is that of the last two {@link periodMs}: a destination that becomes slower for good is found out in that time.
 * A queue that stands could pass for it, so each period begins with half the window, and so with half the queue.
 */
import { assert } from '../base/assert.ts';

/** What it begins with, and the least that it comes down to, so that a slow destination is still tried. */
export const windowBytesMin = 64 * 1024;

/** Beyond the least delay: it grows below the first and shrinks above the second, in ms. */
const growBelowMs = 25;
export const shrinkAboveMs = 50;

/** It grows below this share of the linger, and shrinks so much beyond it, in ms. */
const growShare = 3 / 4;
const lateMs = 20;

/** A queue that is no more than a moment's delay in the answers is gone by then: what stands longer is the window's doing. */
export const lookMs = 150;

const periodMs = 10_000;

export class ReplayPace {
  #openAfterMs: number;
  #lingerMs: number;
  readonly #windowBytesMax: number;
  #windowBytes = windowBytesMin;
  #changedMs = Number.NEGATIVE_INFINITY;
  /** Up to here it doubles; infinite before it has shrunk: then by 1/8 when an answer takes a quarter of open_after already. */
  #knownBytes = Number.POSITIVE_INFINITY;
  #periodStartMs = Number.NEGATIVE_INFINITY;
  /** Least delay since the last look. */
  #bestMs = Number.POSITIVE_INFINITY;
  #lookMs = Number.NEGATIVE_INFINITY;
  #leastMs = Number.POSITIVE_INFINITY;
  #leastBeforeMs = Number.POSITIVE_INFINITY;

  /** `lingerMs`: of the stream. `windowBytesMax`: what its rings are to hold of it. */
  constructor(openAfterMs: number, lingerMs: number, windowBytesMax: number) {
    assert(windowBytesMax >= windowBytesMin, 'a ring holds the smallest window');
    this.#openAfterMs = openAfterMs;
    this.#lingerMs = lingerMs;
    this.#windowBytesMax = windowBytesMax;
  }

  retune(openAfterMs: number, lingerMs: number): void {
    this.#openAfterMs = openAfterMs;
    this.#lingerMs = lingerMs;
  }

  /** Bytes that may be on their way. */
  get windowBytes(): number {
    return this.#windowBytes;
  }

  /** `bytes` that went on their way at `sentMs` are done at `nowMs`. */
  done(bytes: number, sentMs: number, nowMs: number): void {
    const delayMs = nowMs - sentMs;
    this.#leastMs = Math.min(this.#leastMs, delayMs);
    if (nowMs - this.#periodStartMs >= periodMs) this.#beginPeriod(nowMs);
    const neededMs = Math.min(this.#leastMs, this.#leastBeforeMs);
    const openAfterMs = this.#openAfterMs;
    const growMs = Math.max(this.#lingerMs * growShare, neededMs + growBelowMs);
    if (delayMs < Math.min(growMs, openAfterMs / 2)) {
      this.#set(this.#windowBytes + bytes * this.#growth(delayMs));
    }
    // What was on its way when it shrank says nothing of the smaller window.
    if (sentMs <= this.#changedMs) return;
    if (delayMs > (3 / 4) * openAfterMs) return this.#shrink(nowMs);
    this.#bestMs = Math.min(this.#bestMs, delayMs);
    if (nowMs - this.#lookMs < lookMs) return;
    if (this.#bestMs > Math.max(this.#lingerMs + lateMs, neededMs + shrinkAboveMs)) return this.#shrink(nowMs);
    this.#lookMs = nowMs;
    this.#bestMs = Number.POSITIVE_INFINITY;
  }

  #shrink(nowMs: number): void {
    this.#set(this.#windowBytes * (3 / 4));
    this.#knownBytes = this.#windowBytes;
    this.#changedMs = this.#lookMs = nowMs;
    this.#bestMs = Number.POSITIVE_INFINITY;
  }

  /** The destination fails: it is tried anew with little. */
  restart(): void {
    this.#windowBytes = windowBytesMin;
    this.#knownBytes = Number.POSITIVE_INFINITY;
  }

  #growth(delayMs: number): number {
    if (this.#windowBytes >= this.#knownBytes) return 1 / 16;
    return this.#knownBytes < Number.POSITIVE_INFINITY || delayMs < this.#openAfterMs / 4 ? 1 : 1 / 8;
  }

  #beginPeriod(nowMs: number): void {
    if (this.#periodStartMs !== Number.NEGATIVE_INFINITY) {
      this.#knownBytes = this.#windowBytes * (3 / 4);
      this.#set(this.#windowBytes / 2);
      this.#changedMs = nowMs;
      this.#leastBeforeMs = this.#leastMs;
      this.#leastMs = Number.POSITIVE_INFINITY;
    }
    this.#periodStartMs = nowMs;
  }

  #set(bytes: number): void {
    this.#windowBytes = Math.min(this.#windowBytesMax, Math.max(windowBytesMin, bytes));
  }
}
