/** What a campaign against the DLQ must have found: nothing, in enough cases. Test processes only. */
import type { Test } from 'tap';
import type { Findings } from './disk-findings.ts';

export const seed = Number(process.env['SEED'] ?? 20_261_125);

/** Nothing was broken, in so many cases at least, and not for want of faults or of events. */
export function holds(t: Test, { cases, struck, acknowledged, broken }: Findings, least: number): void {
  t.comment(`SEED=${seed}: ${cases} cases, ${struck} struck, ${acknowledged} acknowledged events`);
  t.strictSame(broken, []);
  t.ok(cases >= least, `${cases} cases`);
  t.ok(struck >= 0.7 * cases, `${struck} struck`);
  t.ok(acknowledged >= 9 * cases, `${acknowledged} acknowledged events`);
}
