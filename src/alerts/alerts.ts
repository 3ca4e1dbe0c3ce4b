/**
 * All alerts of the daemon: made from the rules, stepped a few times a second, carried over a reload. Main thread; pure on the time
 * and the values that it is given; what becomes of a change is its caller's business.
 */

import { isDeepStrictEqual } from 'node:util';
import { Alert, type AlertChange } from './alert.ts';
import type { MeasureName } from './measures.ts';
import type { AlertRule } from './rules.ts';

/** What has changed, in whose words it is told. */
export interface AlertNotice {
  readonly change: AlertChange;
  readonly rule: AlertRule;
  /** Undefined: all streams together, or the daemon. */
  readonly stream: string | undefined;
  /** Undefined: there is none now. */
  readonly value: number | undefined;
  /** How long it had been bad, or well, before it was told. */
  readonly heldMs: number;
  /** When it cleared: since it had fired. */
  readonly tookMs: number | undefined;
  /** It cleared because a reload took its rule away or changed it. */
  readonly isDropped: boolean;
}

/** As `GET /v1/status` tells it. */
export interface AlertStatus {
  readonly name: string;
  readonly measure: MeasureName;
  readonly stream?: string;
  readonly state: 'active' | 'quiet';
  readonly value?: number;
  readonly threshold: number;
  /** When the state last changed, ISO 8601; absent: never. */
  readonly since?: string;
}

export type ReadMeasure = (measure: MeasureName, stream: number | undefined) => number | undefined;

export class Alerts {
  readonly #streams: readonly string[];
  readonly #onChange: (notice: AlertNotice) => void;
  #alerts: readonly Alert[];
  /** By stream's name. */
  readonly #indexes: ReadonlyMap<string, number>;

  /** `streams`: of the daemon that runs. A rule of a stream that is not there watches nothing. */
  constructor(rules: readonly AlertRule[], streams: readonly string[], onChange: (notice: AlertNotice) => void) {
    this.#streams = streams;
    this.#indexes = new Map(streams.map((stream, index) => [stream, index]));
    this.#onChange = onChange;
    this.#alerts = this.#made(rules, []);
  }

  evaluate(read: ReadMeasure, nowMs: number): void {
    for (const alert of this.#alerts) {
      const { rule, stream } = alert;
      const firedMs = alert.changedMs;
      const value = read(rule.measure, stream === undefined ? undefined : this.#indexes.get(stream));
      const change = alert.step(value, nowMs);
      if (change === undefined) continue;
      const tookMs = change === 'cleared' ? nowMs - (firedMs as number) : undefined;
      this.#onChange({ change, rule, stream, value, heldMs: alert.heldMs, tookMs, isDropped: false });
    }
  }

  /** Alerts whose rules stay as they are keep their state. The others begin anew; those of them that were active clear. */
  reload(rules: readonly AlertRule[], nowMs: number): void {
    const before = this.#alerts;
    this.#alerts = this.#made(rules, before);
    const kept = new Set(this.#alerts);
    for (const alert of before) {
      if (!alert.isActive || kept.has(alert)) continue;
      const { rule, stream, value, changedMs = nowMs } = alert;
      const tookMs = nowMs - changedMs;
      this.#onChange({ change: 'cleared', rule, stream, value, heldMs: 0, tookMs, isDropped: true });
    }
  }

  get status(): AlertStatus[] {
    return this.#alerts.map(({ rule, stream, isActive, value, changedMs }) => ({
      name: rule.name,
      measure: rule.measure,
      ...(stream === undefined ? {} : { stream }),
      state: isActive ? 'active' : 'quiet',
      ...(value === undefined ? {} : { value }),
      threshold: rule.threshold,
      ...(changedMs === undefined ? {} : { since: new Date(changedMs).toISOString() }),
    }));
  }

  /** Names of the active ones, each once, in the order of the rules. */
  get active(): string[] {
    return [...new Set(this.#alerts.filter(({ isActive }) => isActive).map(({ rule }) => rule.name))];
  }

  #made(rules: readonly AlertRule[], before: readonly Alert[]): Alert[] {
    const known = new Map(before.map((alert) => [keyOf(alert.rule, alert.stream), alert]));
    return rules.flatMap((rule) => {
      const streams = rule.stream === '*' ? this.#streams : [rule.stream];
      return streams
        .filter((stream) => stream === undefined || this.#indexes.has(stream))
        .map((stream) => {
          const alert = known.get(keyOf(rule, stream));
          return alert !== undefined && isDeepStrictEqual(alert.rule, rule) ? alert : new Alert(rule, stream);
        });
    });
  }
}

/** Neither a rule's name nor a stream's has a blank. */
function keyOf({ name }: AlertRule, stream: string | undefined): string {
  return `${name} ${stream ?? ''}`;
}
