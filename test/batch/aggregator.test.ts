import { createHash, randomInt } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { aggregatePlaceBytes } from '../../src/base/limits.ts';
import type { Aggregate } from '../../src/batch/aggregate.ts';
import { Aggregator } from '../../src/batch/aggregator.ts';
import { formatHashKey } from '../../src/batch/hash-key.ts';
import { groupMax, Md5Group } from '../../src/batch/md5-group.ts';
import { ShardRanges } from '../../src/batch/shard-ranges.ts';
import { createArena } from '../../src/ring/arena.ts';
import { entry, flagHashKey } from '../../src/ring/layout.ts';
import { decodeAggregate } from '../../src/simulator/kpl-decoder.ts';
import { RingEntries } from './ring-entries.ts';

const bytesMax = 2_048;
const shards = 4;
const hashSpace = 1n << 128n;

const ranges = ShardRanges.of(
  1,
  Array.from({ length: shards }, (_, i) => ({
    shardId: `shardId-${i}`,
    startingHashKey: String((BigInt(i) * hashSpace) / BigInt(shards)),
    endingHashKey: String((BigInt(i + 1) * hashSpace) / BigInt(shards) - 1n),
  })),
) as ShardRanges;

/** A record as the sink got it. */
interface Sunk {
  readonly data: Buffer;
  readonly offsets: readonly number[];
  readonly hashKey: bigint;
  readonly aggregated: boolean;
}

/** An aggregator with room for `places` aggregates, whose sink keeps copies of the records. */
function setUp(places: number, mapped = true) {
  const areaBytes = places * aggregatePlaceBytes(bytesMax);
  const start = 65_536 + ((areaBytes + 127) & -128);
  const arena = createArena(start + 4 * 1024 * 1024);
  const records: Sunk[] = [];
  const gate = { waiting: new Uint32Array(shards), mayOpen: () => true, opened: () => Number.POSITIVE_INFINITY };
  const aggregator = new Aggregator(
    arena,
    { offset: 65_536, length: areaBytes },
    bytesMax,
    new Md5Group(arena, 0),
    gate,
    {
      aggregated: ({ recordOffset, recordLength, offsets, count, hashKey }: Aggregate) => {
        records.push({
          data: Buffer.from(arena.bytes.slice(recordOffset, recordOffset + recordLength)),
          offsets: [...offsets.subarray(0, count)],
          hashKey: BigInt(formatHashKey(hashKey, 0)),
          aggregated: true,
        });
      },
      single: (offset, hashKeys, index) => {
        const keyWord = arena.words[(offset + entry.key) >>> 2] as number;
        const from = offset + entry.payload + ((keyWord & flagHashKey) === 0 ? 0 : 16) + (keyWord & 0xffff);
        const end = offset + entry.payload + (arena.words[(offset + entry.length) >>> 2] as number);
        records.push({
          data: Buffer.from(arena.bytes.slice(from, end)),
          offsets: [offset],
          hashKey: BigInt(formatHashKey(hashKeys, index)),
          aggregated: false,
        });
      },
    },
  );
  if (mapped) aggregator.setRanges(ranges, true);
  return { aggregator, records, entries: new RingEntries(arena, start) };
}

function flush(aggregator: Aggregator): void {
  while (aggregator.flushOne());
  aggregator.finish();
}

function hashKeyOf(key: string): bigint {
  return BigInt(`0x${createHash('md5').update(key).digest('hex')}`);
}

function shardOf(hashKey: bigint): bigint {
  return (hashKey * BigInt(shards)) / hashSpace;
}

t.test('every event is in one record, unchanged, beside events of its own shard alone', async (t) => {
  const seed = randomInt(2 ** 31);
  t.comment(`seed ${seed}`);
  const someEvent = fc.record({
    key: fc.string({ minLength: 1, maxLength: 12, unit: 'grapheme-ascii' }),
    data: fc.uint8Array({ maxLength: 400 }),
    hashKey: fc.option(fc.uint8Array({ minLength: 16, maxLength: 16 }), { freq: 8, nil: undefined }),
  });
  fc.assert(
    fc.property(fc.array(someEvent, { maxLength: 300 }), fc.integer({ min: 1, max: 12 }), (events, places) => {
      const { aggregator, records, entries } = setUp(places);
      const sent = new Map<number, { key: string; data: Buffer; shard: bigint }>();
      for (const { key, data, hashKey } of events) {
        const offset = entries.write(key, data, hashKey);
        const place = hashKey === undefined ? hashKeyOf(key) : BigInt(`0x${Buffer.from(hashKey).toString('hex')}`);
        sent.set(offset, { key, data: Buffer.from(data), shard: shardOf(place) });
        aggregator.add(offset, false);
      }
      flush(aggregator);
      for (const { data, offsets, hashKey, aggregated } of records) {
        const found = aggregated ? decodeAggregate(data) : [{ data }];
        if (found?.length !== offsets.length) throw new Error('the record does not decode to its events');
        found.forEach((inside, i) => {
          const event = sent.get(offsets[i] as number);
          if (event === undefined || inside?.data.equals(event.data) !== true)
            throw new Error('an event is altered or twice');
          if (event.shard !== shardOf(hashKey)) throw new Error('an event lies beside those of another shard');
          sent.delete(offsets[i] as number);
        });
      }
      if (sent.size > 0) throw new Error(`${sent.size} events are in no record`);
      if (aggregator.openCount + aggregator.pendingRecords + aggregator.pendingBytes > 0) throw new Error('not empty');
    }),
    { seed, numRuns: 100 },
  );
});

t.test('closed aggregates wait for a group, and what they promise to take is what they take', async (t) => {
  const { aggregator, records, entries } = setUp(16);
  let pendingMost = 0;
  for (let i = 0; records.length === 0; i++) {
    aggregator.add(entries.write(`key${i}`, 'x'.repeat(100)), false);
    pendingMost = Math.max(pendingMost, aggregator.pendingRecords);
  }
  t.equal(pendingMost, groupMax - 1);
  t.equal(records.length, groupMax, 'a full group is handed on at once');
  while (aggregator.pendingRecords < 3) aggregator.add(entries.write(`key${records.length}`, 'x'.repeat(100)), false);
  const promised = aggregator.pendingBytes;
  aggregator.finish();
  const taken = records.slice(groupMax).reduce((sum, { data }) => sum + data.length + 1, 0);
  t.equal(taken, promised);
  t.equal(aggregator.pendingBytes, 0);
});

t.test(
  'without a shard map, and when too large to share a record, events go alone and without an envelope',
  async (t) => {
    const unmapped = setUp(4, false);
    for (let i = 0; i < 5; i++) unmapped.aggregator.add(unmapped.entries.write(`key${i}`, `data${i}`), false);
    t.strictSame(
      unmapped.records.map(({ data, aggregated }) => [data.toString(), aggregated]),
      [0, 1, 2, 3, 4].map((i) => [`data${i}`, false]),
    );
    const mapped = setUp(4);
    mapped.aggregator.add(mapped.entries.write('key', 'x'.repeat(bytesMax)), false);
    t.equal(mapped.records[0]?.data.length, bytesMax);
    t.equal(mapped.aggregator.openCount, 0);
  },
);

t.test('an event alone has no envelope, unless it could be taken for one', async (t) => {
  const { aggregator, records, entries } = setUp(4);
  aggregator.add(entries.write('a', 'plain'), false);
  flush(aggregator);
  const disguised = Buffer.concat([Buffer.of(0xf3, 0x89, 0x9a, 0xc2), Buffer.alloc(40, 1)]);
  aggregator.add(entries.write('a', disguised), false);
  flush(aggregator);
  t.strictSame(
    records.map(({ aggregated }) => aggregated),
    [false, true],
  );
  t.equal(records[0]?.data.toString(), 'plain');
  t.ok(decodeAggregate(records[1]?.data as Buffer)?.[0]?.data.equals(disguised));
});
