/**
 * The daemon's state in one line for people: what `systemctl status` shows. Main thread; pure, called by the service notices.
 */
/** Sums over all streams. */
export interface Overview {
  /** Events since the start. */
  readonly accepted: number;
  readonly delivered: number;
  readonly backlog: { readonly events: number; readonly bytes: number; readonly oldestMs: number };
  readonly spilled: number;
  readonly dead: number;
  /** Streams that a breaker keeps from the direct way. */
  readonly diverted: readonly string[];
  /** Names of the alerts that are active. */
  readonly alerts: readonly string[];
}

/** Streams or alerts that are named; the others are counted. */
const namedMax = 5;

/** `sinceMs`: from `before` to `now`; rates are means over it. No line breaks. */
export function overviewLine(before: Overview, now: Overview, sinceMs: number): string {
  const rate = (name: 'accepted' | 'delivered'): string =>
    `${count(sinceMs > 0 ? Math.max(0, (1000 * (now[name] - before[name])) / sinceMs) : 0)}/s`;
  const { events, bytes, oldestMs } = now.backlog;
  const parts = now.alerts.length === 0 ? [] : [`alerts: ${names(now.alerts)}`];
  parts.push(`in ${rate('accepted')}, out ${rate('delivered')}`);
  parts.push(
    events === 0
      ? 'no backlog'
      : `backlog ${count(events)} events, ${(bytes / 1024 ** 2).toFixed(1)} MiB, oldest ${(oldestMs / 1000).toFixed(1)} s`,
  );
  if (now.spilled + now.dead > 0) parts.push(`DLQ ${count(now.spilled)} spilled, ${count(now.dead)} dead`);
  parts.push(now.diverted.length === 0 ? 'breakers closed' : `breakers open: ${names(now.diverted)}`);
  return parts.join('; ');
}

function names(all: readonly string[]): string {
  const more = all.length - namedMax;
  return all.slice(0, namedMax).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
