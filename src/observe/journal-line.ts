/**
 * Takes spillway's line out of a line of `journalctl -o json`. For the `hist` command; pure.
 *
 * Source: https://systemd.io/JOURNAL_EXPORT_FORMATS/, "Journal JSON Format": a field is a string; an array of numbers (bytes)
 * where it is not UTF-8 or holds control characters; `null` above 4,096 bytes, unless `--all` was given.
 */

/** What each line of `journalctl -o json` holds. Inside a string it would be escaped. */
const sign = '"__REALTIME_TIMESTAMP":"';

/** Whether `text` is a line of `journalctl -o json`. */
export function isJournalLine(text: string): boolean {
  // Its fields are named in capitals: spillway's own long lines are told without a search.
  return /^\{"[A-Z_]/.test(text) && text.includes(sign);
}

/**
 * What the program had written: the line of `text`, which {@link isJournalLine} has accepted. Null: spillway wrote a line,
 * and journalctl left it out for its length. Undefined: there is no message, or it cannot be read.
 */
export function journalMessage(text: string): string | null | undefined {
  let entry: unknown;
  try {
    entry = JSON.parse(text);
  } catch {
    return undefined;
  }
  const fields = entry as Readonly<Record<string, unknown>>;
  const message = fields['MESSAGE'];
  if (typeof message === 'string') return message;
  if (message === null) return isSpillway(fields) ? null : undefined;
  if (!Array.isArray(message) || !message.every((each) => typeof each === 'number')) return undefined;
  return Buffer.from(message).toString();
}

function isSpillway(fields: Readonly<Record<string, unknown>>): boolean {
  return ['SYSLOG_IDENTIFIER', '_SYSTEMD_UNIT'].some((name) => String(fields[name]).startsWith('spillway'));
}
