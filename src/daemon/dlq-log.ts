/**
 * What the DLQ reports, as lines of the log. Main thread; called by the DLQ through the daemon.
 *
 * A report's `change` becomes the line's `event`. Facts that the log's schema knows stand in fields of their own, for alerts; all
 * others in the message, for people.
 */
import type { DlqEvent } from '../dlq/options.ts';
import type { Log } from '../observe/log.ts';

/** What is reported while all is well; the rest an operator should see. */
const routineChanges: ReadonlySet<string> = new Set([
  'recovered',
  'room',
  'disk_room',
  'indexing',
  'segment_sealed',
  'segment_removed',
  'purged',
  'sent_again',
]);

const numbers = ['events', 'bytes', 'tookMs', 'times'] as const;
const strings = ['segment', 'reason', 'stream', 'series', 'cause', 'code'] as const;
const known: ReadonlySet<string> = new Set(['change', ...numbers, ...strings]);

export function logDlqEvent(log: Log, report: DlqEvent): void {
  const { change } = report;
  const rest = Object.fromEntries(Object.entries(report).filter(([name]) => !known.has(name)));
  const message = `DLQ: ${change} ${Object.keys(rest).length > 0 ? JSON.stringify(rest) : ''}`.trimEnd();
  const level = routineChanges.has(change) ? 'info' : 'warn';
  log[level]('dlq', message, {
    event: change,
    ...pick(report, numbers, (value): value is number => typeof value === 'number'),
    ...pick(report, strings, (value): value is string => typeof value === 'string' && value !== ''),
  });
}

function pick<Name extends string, Value>(
  report: DlqEvent,
  names: readonly Name[],
  is: (value: unknown) => value is Value,
): Partial<Record<Name, Value>> {
  const found: Partial<Record<Name, Value>> = {};
  for (const name of names) {
    const value: unknown = report[name];
    if (is(value)) found[name] = value;
  }
  return found;
}
