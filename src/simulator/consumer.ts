/**
 * What a consumer built on the Kinesis Client Library (KCL) gets to see of a record: aggregates unpacked, and **the whole
 * aggregate dropped when one of its events belongs to another shard**, the events behind a broken one lost. Source:
 * `AggregatorUtil.deaggregate` of the KCL for Java. Pure.
 */
import { hashOfKey } from './hash-key.ts';
import { decodeAggregate, type SubRecord } from './kpl-decoder.ts';

export interface Unpacked {
  readonly aggregate: boolean;
  readonly events: readonly SubRecord[];
  /** Events of an aggregate that the consumer will not get. */
  readonly dropped: number;
}

/** The user events of a record of the shard whose range, both ends included, is given. */
export function unpackAsConsumer(
  data: Buffer,
  partitionKey: string,
  explicitHashKey: string | undefined,
  startingHash: bigint,
  endingHash: bigint,
): Unpacked {
  const subRecords = decodeAggregate(data);
  if (subRecords === undefined) {
    return { aggregate: false, events: [{ partitionKey, explicitHashKey, data }], dropped: 0 };
  }
  const hashes = new Map<string, bigint>();
  const events: SubRecord[] = [];
  for (const subRecord of subRecords) {
    if (subRecord === undefined) break;
    const hash = hashOf(subRecord, hashes);
    if (hash < startingHash || hash > endingHash) return { aggregate: true, events: [], dropped: subRecords.length };
    events.push(subRecord);
  }
  return { aggregate: true, events, dropped: subRecords.length - events.length };
}

/** `hashes` remembers those of the aggregate's partition keys. */
function hashOf(subRecord: SubRecord, hashes: Map<string, bigint>): bigint {
  if (subRecord.explicitHashKey !== undefined) return BigInt(subRecord.explicitHashKey);
  let hash = hashes.get(subRecord.partitionKey);
  if (hash === undefined) {
    hash = hashOfKey(subRecord.partitionKey);
    hashes.set(subRecord.partitionKey, hash);
  }
  return hash;
}
