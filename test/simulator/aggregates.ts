/**
 * KPL aggregates made by protobufjs from the published schema, right ones and wrong ones: it shares no code with the daemon's
 * encoder or the simulator's decoder.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';

const schema = readFileSync(new URL('../../../test/batch/kpl.proto', import.meta.url), 'utf8');
const AggregatedRecord = protobuf.parse(schema).root.lookupType('AggregatedRecord');

export interface AggregateParts {
  readonly keys: readonly string[];
  readonly hashKeys?: readonly string[];
  /** `key` and `hash` are indexes of the two lists, which may point nowhere. */
  readonly events: readonly { readonly key: number; readonly hash?: number; readonly data: string }[];
}

export function messageOf({ keys, hashKeys = [], events }: AggregateParts): Buffer {
  const message = {
    partitionKeyTable: keys,
    explicitHashKeyTable: hashKeys,
    records: events.map(({ key, hash, data }) => ({
      partitionKeyIndex: key,
      ...(hash === undefined ? {} : { explicitHashKeyIndex: hash }),
      data: Buffer.from(data),
    })),
  };
  return Buffer.from(AggregatedRecord.encode(message).finish());
}

/** Magic and checksum around `message`, which need not be one. */
export function enveloped(message: Buffer): Buffer {
  return Buffer.concat([Buffer.from('f3899ac2', 'hex'), message, createHash('md5').update(message).digest()]);
}

export const aggregateOf = (parts: AggregateParts): Buffer => enveloped(messageOf(parts));
