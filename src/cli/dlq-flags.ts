/**
 * The flags by which `spillway dlq` commands choose events: time, reason, stream, key. Main thread; pure but for the clock that
 * "2h" counts back from.
 */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { partitionKeyBytesMax } from '../base/limits.ts';
import { parseDuration } from '../base/units.ts';
import type { Filter } from '../dlq/filter.ts';
import { reasonCode, reasonNames } from '../dlq/reasons.ts';

export interface FilterFlags {
  readonly since?: number;
  readonly until?: number;
  readonly reason?: readonly number[];
  readonly stream?: readonly string[];
  readonly key?: string;
}

export function withFilter(command: Command): Command {
  return command
    .addOption(
      new Option('--since <time>', 'first seen from then on: ISO 8601, or so long ago, as in 2h').argParser(time),
    )
    .addOption(new Option('--until <time>', 'first seen before then').argParser(time))
    .addOption(
      new Option('--reason <name>', 'set aside for this reason; may be repeated').argParser(
        (text, before: readonly number[] | undefined) => [...(before ?? []), reason(text)],
      ),
    )
    .addOption(
      new Option('--stream <name>', 'of this stream; may be repeated').argParser(
        (text, before: readonly string[] | undefined) => [...(before ?? []), streamName(text)],
      ),
    )
    .addOption(new Option('--key <key>', 'with exactly this partition key').argParser(partitionKey));
}

export function filterFrom({ since, until, reason: reasons, stream: streams, key }: FilterFlags): Filter {
  return {
    ...(since === undefined ? {} : { sinceMs: since }),
    ...(until === undefined ? {} : { untilMs: until }),
    ...(reasons === undefined ? {} : { reasons }),
    ...(streams === undefined ? {} : { streams }),
    ...(key === undefined ? {} : { key }),
  };
}

/** Milliseconds since the epoch. */
function time(text: string): number {
  if (/^\d+(ms|s|m|h)$/.test(text)) return Date.now() - parseDuration(text);
  const [, days] = /^(\d{1,5})d$/.exec(text) ?? [];
  if (days !== undefined) return Date.now() - Number(days) * 86_400_000;
  const ms = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isFinite(ms)) return ms;
  throw new InvalidArgumentError(
    'Give ISO 8601, such as 2026-11-27T18:00:00Z, or how long ago, such as 30m, 2h or 3d.',
  );
}

function reason(text: string): number {
  const code = reasonCode(text);
  if (code === undefined) throw new InvalidArgumentError(`Give one of ${reasonNames.join(', ')}.`);
  return code;
}

export function streamName(text: string): string {
  if (/^[a-zA-Z0-9_.-]{1,128}$/.test(text)) return text;
  throw new InvalidArgumentError('Give 1 to 128 of a-z A-Z 0-9 _ . -, as the configuration names the stream.');
}

function partitionKey(text: string): string {
  if (text !== '' && Buffer.byteLength(text) <= partitionKeyBytesMax) return text;
  throw new InvalidArgumentError(`Give 1 to ${partitionKeyBytesMax} bytes.`);
}
