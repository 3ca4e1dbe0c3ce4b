/**
 * What a consumer built on the Kinesis Client Library (KCL) gets to see of a record: aggregates unpacked, and **the whole
 * aggregate dropped when one of its events belongs to another shard**. Pure.
 */
import { hashOfKey } from './hash-key.ts';
import { decodeAggregate, type SubRecord } from './kpl-decoder.ts';

export interface Unpacked {
  readonly aggregate: boolean;
  readonly events: readonly SubRecord[];
  /** Events of an aggregate that was dropped, else 0. */
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
  for (const subRecord of subRecords) {
    const hash = hashOf(subRecord, hashes);
    if (hash < startingHash || hash > endingHash) return { aggregate: true, events: [], dropped: subRecords.length };
  }
  return { aggregate: true, events: subRecords, dropped: 0 };
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
