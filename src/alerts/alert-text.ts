/**
 * Alerts in words and as data: the message and fields of a log line, and the document that a command or webhook gets. Main thread;
 * pure.
 */
import { formatDuration, formatSize } from '../base/units.ts';
import type { LogFields } from '../observe/log-schema.ts';
import type { AlertNotice } from './alerts.ts';
import { measureOf, type Unit } from './measures.ts';

export function alertMessage({ change, rule, stream, value, isDropped }: AlertNotice): string {
  const { side, unit, says, hint } = measureOf(rule.measure);
  const what = `alert ${rule.name}${stream === undefined ? '' : ` of stream ${stream}`}`;
  if (isDropped) return `${what} is over: its rule was changed`;
  if (change === 'cleared') return `${what} is over`;
  const limit = rule.threshold === 0 ? '' : ` (${side} ${quantityText(rule.threshold, unit)})`;
  return `${what}: ${says}: ${quantityText(value ?? 0, unit)}${limit}; ${hint}`;
}

export function alertFields({ change, rule, stream, value, heldMs, tookMs }: AlertNotice): LogFields<'alert'> {
  const { hint } = measureOf(rule.measure);
  return {
    alert: rule.name,
    state: change,
    measure: rule.measure,
    ...(stream === undefined ? {} : { stream }),
    ...(value === undefined ? {} : { value: rounded(value) }),
    threshold: rule.threshold,
    heldMs: Math.round(heldMs),
    ...(tookMs === undefined ? {} : { tookMs: Math.round(tookMs) }),
    ...(change === 'fired' ? { hint: `${hint}; runbook#${anchorOf(rule.measure)}` } : {}),
  };
}

/** The anchor of a measure in the runbook. */
export function anchorOf(measure: string): string {
  return `alert-${measure}`;
}

/** A level for people: "7.2s", "64MiB", "0.85". */
export function quantityText(value: number, unit: Unit): string {
  if (unit === 'ms')
    return value < 10_000 ? `${rounded(value / 1_000)}s` : formatDuration(1_000 * Math.round(value / 1_000));
  if (unit === 'bytes') return formatSize(wholeUnits(Math.round(value)));
  return String(rounded(value));
}

function rounded(value: number): number {
  return Math.round(1_000 * value) / 1_000;
}

/** The nearest number of bytes that needs no more than four digits. */
function wholeUnits(bytes: number): number {
  const unit = [1024 ** 3, 1024 ** 2, 1024].find((each) => bytes >= 10 * each) ?? 1;
  return unit * Math.round(bytes / unit);
}
