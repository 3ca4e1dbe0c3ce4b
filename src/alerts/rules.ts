/**
 * What makes an alert: a rule of a measure, a threshold and times; those that are there unasked, and how the tables of a
 * configuration change them. Main thread; pure; called by the config loader.
 */
import { type Measure, type MeasureName, measureOf, type Unit } from './measures.ts';

export interface AlertRule {
  readonly name: string;
  readonly measure: MeasureName;
  /** A stream's name; "*": each stream for itself; undefined: all together, or the daemon. */
  readonly stream: string | undefined;
  /** Bad is what lies beyond it, on the measure's side; in its unit. */
  readonly threshold: number;
  /** At or within it all is well again: not beyond the threshold. Between the two nothing changes. */
  readonly clear: number;
  /** It fires when the threshold was passed for so long. */
  readonly forMs: number;
  /** It clears when all was well for so long, and changes its state at most once in this time. */
  readonly clearForMs: number;
}

/** What a table of the configuration says of a rule; undefined: as the rule of this name is by default. */
export type RuleChange = { readonly [Part in Exclude<keyof AlertRule, 'name'>]?: AlertRule[Part] | undefined };

/** A level as it is written, with the unit that its form tells; a plain number may be any. */
export interface Quantity {
  readonly value: number;
  readonly unit: Unit;
}

const clearForMsDefault = 5_000;

/** How much better than the threshold all must be to be well again, unless a rule says so. */
const clearShare = 0.8;

const MiB = 1024 ** 2;

/** There unasked. Each has the name of its measure. */
const defaults: readonly (RuleChange & { readonly measure: MeasureName; readonly threshold: number })[] = [
  { measure: 'backlog_age', stream: '*', threshold: 5_000 },
  { measure: 'time_to_full', threshold: 600_000, forMs: 2_000 },
  { measure: 'breaker_open', stream: '*', threshold: 0, forMs: 1_000 },
  { measure: 'dlq_used', threshold: 0.8 },
  { measure: 'dead_letters', stream: '*', threshold: 0 },
  { measure: 'lane_restarts', threshold: 0 },
  { measure: 'disk_free', threshold: 256 * MiB },
  { measure: 'dlq_failing', threshold: 0 },
  { measure: 'dlq_disk_full', threshold: 0 },
  { measure: 'dlq_full', threshold: 0 },
  { measure: 'dlq_dropped', threshold: 0 },
];

/** The rules that are there unasked. */
export const defaultRules: readonly AlertRule[] = defaults.map((rule) => completeRule(rule.measure, rule, rule));

/** Whether `level` is at least as bad as `other`. */
export function isAsBad({ side }: Measure, level: number, other: number): boolean {
  return side === 'above' ? level >= other : level <= other;
}

/**
 * The rule called `name` with what a table says of it. Undefined: it says no measure or no threshold, and the rule is none of those
 * that are there unasked. With another measure nothing of the default is left.
 */
export function changedRule(name: string, change: RuleChange): AlertRule | undefined {
  const known = defaultRules.find((rule) => rule.name === name);
  const base = known === undefined || (change.measure ?? known.measure) !== known.measure ? undefined : known;
  const measure = change.measure ?? base?.measure;
  const threshold = change.threshold ?? base?.threshold;
  if (measure === undefined || threshold === undefined) return undefined;
  const { stream, forMs, clearForMs } = change;
  const times = { forMs: forMs ?? base?.forMs, clearForMs: clearForMs ?? base?.clearForMs };
  return completeRule(name, { measure, threshold }, { stream: stream ?? base?.stream, clear: change.clear, ...times });
}

function completeRule(
  name: string,
  { measure, threshold }: { readonly measure: MeasureName; readonly threshold: number },
  { stream, clear, forMs, clearForMs }: RuleChange,
): AlertRule {
  const share = measureOf(measure).side === 'above' ? clearShare : 1 / clearShare;
  return {
    name,
    measure,
    stream,
    threshold,
    // Without the last digits, which are an artefact of binary fractions.
    clear: clear ?? Math.round(1e6 * threshold * share) / 1e6,
    forMs: forMs ?? 0,
    clearForMs: clearForMs ?? clearForMsDefault,
  };
}
