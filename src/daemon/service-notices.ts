/**
 * Tells the service manager how the daemon is. Main thread; `run` makes one where a service manager listens.
 *
 * ```
 *   starting ── READY=1 ──▶ ready ── STOPPING=1 ──▶ stopping
 *                           │   ▲                    every second: EXTEND_TIMEOUT_USEC, and how much is left
 *                RELOADING=1▼   │READY=1
 *                          reloading
 * ```
 * While ready it feeds the watchdog, three times in its period, from the main thread's own timer and only as long as every lane works:
 * a main loop that is blocked or a lane that is stuck for good leaves it hungry, and the daemon is started again. A notice that the
 * manager's queue does not take is said again a step later.
 */
import type { ServiceManager } from '../edges/service-manager.ts';
import { type Overview, overviewLine } from './overview.ts';

export interface NoticeParts {
  readonly manager: ServiceManager;
  readonly nowMs: () => number;
  readonly overview: () => Overview;
  /** Names of the alerts that are active. */
  readonly alerts: () => readonly string[];
  /** Every lane works. */
  readonly isWell: () => boolean;
  /** The watchdog is no longer fed, or is again. */
  readonly onWell: (isWell: boolean) => void;
}

const stepMs = 1_000;
/** How often the state is told in words, unless alerts fire or clear. */
const overviewMs = 10_000;
/** What is left of the stop's time limit after each step: more than a step and the last fsync together take. */
const extendMs = 15_000;

export class ServiceNotices {
  readonly #parts: NoticeParts;
  readonly #timer: NodeJS.Timeout;
  readonly #feedMs: number;
  #phase: 'starting' | 'ready' | 'reloading' | 'stopping' = 'starting';
  #isWell = true;
  /** What was not taken yet: a phase, which must be known. */
  #unsaid = '';
  #fedMs = Number.NEGATIVE_INFINITY;
  #told: { readonly ms: number; readonly overview: Overview } | undefined;

  constructor(parts: NoticeParts) {
    this.#parts = parts;
    this.#feedMs = parts.manager.watchdogMs / 3;
    this.#timer = setInterval(() => this.#step(), this.#feedMs > 0 ? Math.min(stepMs, this.#feedMs) : stepMs);
  }

  /** Events are accepted; after a start or a reload. */
  ready(): void {
    if (this.#phase === 'stopping') return;
    this.#enter('ready', 'READY=1');
    this.#step();
  }

  reloading(): void {
    this.#enter('reloading', `RELOADING=1\nMONOTONIC_USEC=${this.#parts.manager.monotonicUs()}`);
  }

  stopping(): void {
    this.#enter('stopping', 'STOPPING=1');
    this.#step();
  }

  /** The last word; the process ends. */
  close(): void {
    clearInterval(this.#timer);
    this.#parts.manager.send('STATUS=stopped');
  }

  #enter(phase: 'ready' | 'reloading' | 'stopping', notice: string): void {
    this.#phase = phase;
    this.#unsaid = this.#parts.manager.send(notice) ? '' : notice;
  }

  #step(): void {
    const { manager, nowMs } = this.#parts;
    if (this.#unsaid !== '' && manager.send(this.#unsaid)) this.#unsaid = '';
    if (this.#phase === 'ready') this.#feed(nowMs());
    if (this.#phase === 'stopping') {
      manager.send(`EXTEND_TIMEOUT_USEC=${extendMs * 1000}\nSTATUS=draining: ${this.#left()}`);
    }
  }

  #left(): string {
    const { events } = this.#parts.overview().backlog;
    return `${events.toLocaleString('en-US')} events of the backlog left in memory and on disk`;
  }

  #feed(nowMs: number): void {
    const { manager, isWell, overview, alerts, onWell } = this.#parts;
    if (isWell() !== this.#isWell) onWell((this.#isWell = isWell()));
    // A timer may come a moment early.
    const isFeedDue = this.#feedMs > 0 && nowMs - this.#fedMs >= 0.9 * this.#feedMs;
    if (isFeedDue && this.#isWell && manager.send('WATCHDOG=1')) this.#fedMs = nowMs;
    const isToldOfAlerts = this.#told?.overview.alerts.join() === alerts().join();
    if (isToldOfAlerts && this.#told !== undefined && nowMs - this.#told.ms < overviewMs) return;
    const now = overview();
    const before = this.#told ?? { ms: nowMs, overview: now };
    const line = overviewLine(before.overview, now, nowMs - before.ms);
    if (manager.send(`STATUS=${this.#isWell ? '' : 'lanes stuck; '}${line}`)) this.#told = { ms: nowMs, overview: now };
  }
}
