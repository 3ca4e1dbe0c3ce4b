/**
 * What does one event cost on its way into a KPL aggregate, magic and MD5 included?
 *
 * ```
 *   ring entries in the arena ─▶ Aggregator (key table, shard, copy) ─▶ Aggregate.close ─▶ Md5Group, 8 at once ─▶ record
 *   { key, data } objects ────▶ key table ─▶ protobufjs encode ───────▶ MD5, concat ───────────────────────────▶ record
 *   { key, data } objects ────▶ aws-kinesis-agg: RecordAggregator.addUserRecord, build ────────────────────────▶ record
 * ```
 *
 * One thread, 1,000 keys of 10 bytes, one shard, aggregates of 256 KiB that hold the same events. Ours begins with bytes in
 * shared memory and hashes each key that it has not met; the baselines are handed strings and Buffers that already exist, and
 * know nothing of shards. The last row is the MD5 of the same bytes alone, one aggregate at a time by OpenSSL, which no encoder
 * that does it so can go below. Before anything is measured, all three must give the same bytes.
 */
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import protobuf from 'protobufjs';
import { assert } from '../src/base/assert.ts';
import { aggregatePlaceBytes } from '../src/base/limits.ts';
import { Aggregator } from '../src/batch/aggregator.ts';
import { groupMax, Md5Group } from '../src/batch/md5-group.ts';
import { ShardRanges } from '../src/batch/shard-ranges.ts';
import { createArena } from '../src/ring/arena.ts';
import { entry, entryBytes } from '../src/ring/layout.ts';
import { type BenchCase, benchSwitches, runCases } from './harness.ts';

interface UserRecord {
  readonly partitionKey: string;
  readonly data: Buffer;
}

/** What is used of aws-kinesis-agg; its own types need packages that it does not install. */
interface AwsAggregator {
  addUserRecord(record: UserRecord): void;
  build(): { readonly data: Buffer } | undefined;
}
type AwsAggregation = { readonly RecordAggregator: new () => AwsAggregator };

const switches = benchSwitches();
const aggregateBytes = 256 * 1024;
const keyCount = 1_000;
const totalBytes = switches.smoke ? 600_000 : 16_000_000;

const proto = readFileSync(new URL('../../test/batch/kpl.proto', import.meta.url), 'utf8');
const type = protobuf.parse(proto, { keepCase: true }).root.lookupType('AggregatedRecord');
const { RecordAggregator } = createRequire(import.meta.url)('aws-kinesis-agg') as AwsAggregation;
const magic = Buffer.from('f3899ac2', 'hex');

const keyOf = (event: number): string => `user${String((event * 7_919) % keyCount).padStart(6, '0')}`;

/** Ours: the ring entries of all events, and a run over them. `records` takes the records of one run where it is given. */
function ours(events: readonly UserRecord[]): { run: (records?: Buffer[]) => number; perRecord: () => number[] } {
  // As many as the aggregator may have pending, and the one that is open.
  const room = (groupMax + 1) * aggregatePlaceBytes(aggregateBytes);
  const size = entryBytes(events[0]!.partitionKey.length + events[0]!.data.length);
  const arena = createArena(65_536 + room + events.length * size);
  const offsets = events.map(({ partitionKey, data }, index) => {
    const offset = 65_536 + ((room + 7) & -8) + index * size;
    arena.words[(offset + entry.length) >>> 2] = partitionKey.length + data.length;
    arena.words[(offset + entry.key) >>> 2] = partitionKey.length;
    arena.buffer.write(partitionKey, offset + entry.payload, 'latin1');
    data.copy(arena.buffer, offset + entry.payload + partitionKey.length);
    return offset;
  });
  let sum = 0;
  let kept: Buffer[] | undefined;
  let counts: number[] = [];
  const gate = { waiting: new Uint32Array(1), mayOpen: () => true, opened: () => Number.POSITIVE_INFINITY };
  const aggregator = new Aggregator(
    arena,
    { offset: 65_536, length: room },
    aggregateBytes,
    new Md5Group(arena, 0),
    gate,
    {
      aggregated: ({ count, recordOffset, recordLength }) => {
        const end = recordOffset + recordLength;
        sum += recordLength + arena.buffer.readUInt8(end - 1);
        counts.push(count);
        kept?.push(Buffer.from(arena.buffer.subarray(recordOffset, end)));
      },
      single: () => assert(false, 'every event shares an aggregate'),
    },
  );
  const whole = { shardId: 'shardId-000000000000', startingHashKey: '0', endingHashKey: String(2n ** 128n - 1n) };
  aggregator.setRanges(ShardRanges.of(1, [whole]), true);
  const run = (records?: Buffer[]): number => {
    sum = 0;
    counts = [];
    kept = records;
    for (const offset of offsets) aggregator.add(offset, false);
    while (aggregator.flushOne());
    aggregator.finish();
    return sum;
  };
  return { run, perRecord: () => counts };
}

function byProtobufjs(events: readonly UserRecord[]): Buffer {
  const indexes = new Map<string, number>();
  const records = events.map(({ partitionKey, data }) => {
    let index = indexes.get(partitionKey);
    if (index === undefined) {
      index = indexes.size;
      indexes.set(partitionKey, index);
    }
    return { partition_key_index: index, data };
  });
  const body = type.encode({ partition_key_table: [...indexes.keys()], records }).finish();
  return Buffer.concat([magic, body, Buffer.from(hash('md5', body, 'hex'), 'hex')]);
}

function byAwsKinesisAgg(events: readonly UserRecord[]): Buffer {
  const aggregator = new RecordAggregator();
  for (const event of events) aggregator.addUserRecord(event);
  const built = aggregator.build();
  assert(built !== undefined, 'an aggregate of events was built');
  return built.data;
}

const sumOf = (records: readonly Buffer[]): number =>
  records.reduce((sum, record) => sum + record.length + record.readUInt8(record.length - 1), 0);

function casesOf(dataBytes: number): BenchCase[] {
  const units = Math.floor(totalBytes / dataBytes);
  const events = Array.from({ length: units }, (_, event) => ({
    partitionKey: keyOf(event),
    data: Buffer.alloc(dataBytes, `${event} `),
  }));
  const own = ours(events);
  const records: Buffer[] = [];
  own.run(records);
  let from = 0;
  const groups = own.perRecord().map((count) => events.slice(from, (from += count)));
  assert(groups.length > 1 && from === units, 'the events fill several aggregates');
  groups.forEach((group, index) => {
    const [record, other, aws] = [records[index]!, byProtobufjs(group), byAwsKinesisAgg(group)];
    assert(record.equals(other) && record.equals(aws), 'all encoders give the same bytes');
  });
  const one = (name: string, run: () => number): BenchCase => ({
    name: `${name} ${dataBytes} B`,
    unit: 'event',
    units,
    run,
  });
  const md5Of = (record: Buffer): number =>
    record.length + Number.parseInt(hash('md5', record.subarray(4, -16)).slice(-2), 16);
  return [
    one('spillway', () => own.run()),
    one('protobufjs', () => sumOf(groups.map(byProtobufjs))),
    one('aws-kinesis-agg', () => sumOf(groups.map(byAwsKinesisAgg))),
    one('MD5 alone', () => records.reduce((sum, record) => sum + md5Of(record), 0)),
  ];
}

for (const dataBytes of [200, 1_000]) await runCases(casesOf(dataBytes), switches);
