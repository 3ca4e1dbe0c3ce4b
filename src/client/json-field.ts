/**
 * The partition key of one JSON line, in the sender's process: `spillway send --key`. Parses the whole line, which a daemon
 * that handles a million of them per second would not.
 */

export type JsonKey =
  | { readonly kind: 'key'; readonly key: string }
  | { readonly kind: 'refused'; readonly code: 'bad_json' | 'missing_key' };

/** The string or number at `field` (names joined by dots) of the JSON object in `line`. An empty string is no key. */
export function jsonKey(line: Buffer, field: string): JsonKey {
  let value: unknown;
  try {
    value = JSON.parse(line.toString());
  } catch {
    return { kind: 'refused', code: 'bad_json' };
  }
  for (const name of field.split('.')) {
    value =
      typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? (value as never)[name] : undefined;
  }
  if (typeof value === 'number') return { kind: 'key', key: String(value) };
  if (typeof value === 'string' && value !== '') return { kind: 'key', key: value };
  return { kind: 'refused', code: 'missing_key' };
}
