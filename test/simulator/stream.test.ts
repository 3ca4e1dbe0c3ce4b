import fc from 'fast-check';
import t from 'tap';
import { Stream } from '../../src/simulator/stream.ts';

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const hashMax = 2n ** 128n - 1n;
const anyHash = fc.oneof(fc.bigInt({ min: 0n, max: hashMax }), fc.constantFrom(0n, hashMax));
const settings = { mode: 'PROVISIONED', maxRecordSizeInKiB: 1_024, distribution: 'USER_PARTITION_KEY' } as const;
const nowMs = 1_800_000_000_000;

const streamOf = (shards: number): Stream =>
  new Stream('orders', 'arn', shards, settings, { openedMs: nowMs, numberSecond: nowMs / 1_000, parents: [] });

/** One step: the shard at a place of the open ones is split at a place within it, or merged with the next. */
const step = fc.record({
  splits: fc.boolean(),
  place: fc.nat(),
  share: fc.bigInt({ min: 1n, max: 999n }),
  hash: anyHash,
  /** Whether the key asked for is the last of a shard rather than any. */
  edge: fc.boolean(),
});

t.test(
  'however a stream is resharded, each hash key has one open shard, and numbers grow from parent to child',
  (t) => {
    t.comment(`SEED=${seed}`);
    let reshardings = 0;
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.array(step, { maxLength: 40 }), (count, steps) => {
        const stream = streamOf(count);
        const numbers: bigint[] = [];
        for (const { splits, place, share, hash, edge } of steps) {
          const index = place % stream.open.length;
          const [shard, next] = [stream.open[index]!, stream.open[index + 1]];
          const middle = shard.startingHash + ((shard.endingHash - shard.startingHash) * share) / 1_000n;
          if (splits && middle > shard.startingHash) stream.split(shard, middle, nowMs);
          else if (!splits && next !== undefined) stream.merge(shard, next, nowMs);
          else continue;
          reshardings++;
          const key = edge ? stream.open[place % stream.open.length]!.endingHash : hash;
          const home = stream.open.filter(({ startingHash, endingHash }) => startingHash <= key && key <= endingHash);
          const taken = stream.shardAt(key);
          if (home.length !== 1 || home[0] !== taken) return false;
          numbers.push(BigInt(taken.sequenceNumber(taken.take(1))));
        }
        const byId = new Map(stream.shards.map((shard) => [shard.id, shard]));
        for (const shard of stream.shards) {
          for (const parent of shard.birth.parents) {
            const ending = byId.get(parent)?.endingSequenceNumber;
            if (ending === undefined || BigInt(ending) >= BigInt(shard.sequenceNumber(0))) return false;
          }
        }
        const open = stream.shards.filter(({ closedMs }) => closedMs === undefined);
        return open.length === stream.open.length && new Set(numbers).size === numbers.length;
      }),
      { seed, numRuns: 300 },
    );
    t.ok(reshardings > 300, `${reshardings} splits and merges`);
    t.end();
  },
);

t.test('a stream remembers the latest 10,000 of its closed shards', (t) => {
  const stream = streamOf(2);
  for (let round = 0; round < 4_000; round++) {
    const first = stream.open[0]!;
    stream.split(first, (first.startingHash + first.endingHash) / 2n, nowMs);
    stream.merge(stream.open[0]!, stream.open[1]!, nowMs);
  }
  t.equal(stream.shards.length, 10_002);
  t.equal(stream.open.length, 2);
  const ids = stream.shards.map(({ id }) => id);
  t.strictSame(ids, ids.toSorted(), 'in the order of their ids');
  t.ok(ids.includes('shardId-000000000001'), 'an open shard stays, however old');
  t.end();
});
