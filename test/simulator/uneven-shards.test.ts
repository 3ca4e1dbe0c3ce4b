import { PutRecordsCommand } from '@aws-sdk/client-kinesis';
import t from 'tap';
import { clientFor, simulatorFor } from './peers.ts';

const StreamName = 'orders';

/** A record for one of four shards. */
const entry = (shard: number, bytes = 1) => ({
  PartitionKey: 'k',
  ExplicitHashKey: String((2n ** 128n / 4n) * BigInt(shard)),
  Data: Buffer.alloc(bytes),
});

for (const counting of [false, true]) {
  t.test(`shards that are not alike (${counting ? 'counting' : 'keeping'})`, async (t) => {
    const simulator = await simulatorFor(t, { streams: [{ name: StreamName, shards: 4 }], counting });
    const client = clientFor(t, simulator);
    t.beforeEach(async () => {
      await simulator.faults({});
      await simulator.reset();
    });
    const fired = async (name: string): Promise<number> => (await simulator.stats()).faultsFired[name] ?? 0;
    const put = (...shards: readonly number[]) =>
      client.send(new PutRecordsCommand({ StreamName, Records: shards.map((shard) => entry(shard)) }));
    const repeated = (shard: number, count: number): number[] => Array.from({ length: count }, () => shard);

    t.test('slowShards delay answers about their records by slowShardMs, once, and no others', async (t) => {
      await simulator.faults({ slowShards: [1, 3], slowShardMs: 150 });
      const elapsed = async (...shards: readonly number[]): Promise<number> => {
        const before = performance.now();
        await put(...shards);
        return performance.now() - before;
      };
      t.ok((await elapsed(0, 1, 1, 3)) >= 149);
      t.equal(await fired('slowShards'), 1);
      await elapsed(0, 2);
      t.equal(await fired('slowShards'), 1);
      const order: string[] = [];
      const [slow, fast] = [put(3).then(() => order.push('slow')), put(2).then(() => order.push('fast'))];
      await Promise.all([slow, fast]);
      t.strictSame(order, ['fast', 'slow'], 'a slow shard does not hold up another');
    });

    t.test('hotShards have budgets of their own, the others none', async (t) => {
      await simulator.faults({ hotShards: [2], hotShardRecordsPerSecond: 1, hotShardBytesPerSecond: 1_000 });
      const answer = await put(...repeated(2, 20), ...repeated(0, 400));
      const failed = (answer.Records ?? []).filter(({ ErrorCode }) => ErrorCode !== undefined);
      t.equal(failed.length, 19);
      t.ok((answer.Records ?? []).slice(20).every(({ ShardId }) => ShardId === 'shardId-000000000000'));
      t.ok(
        failed.every(({ ErrorMessage }) => ErrorMessage?.startsWith('Rate exceeded for shard shardId-000000000002')),
      );
      t.equal(await fired('hotShards'), 19);
      t.equal(await fired('throttle'), 0);
    });

    t.test('hotShards keep their budgets under throttle, which holds for the others', async (t) => {
      await simulator.faults({
        throttle: true,
        shardRecordsPerSecond: 10,
        hotShards: [2],
        hotShardRecordsPerSecond: 1,
      });
      await put(...repeated(2, 20), ...repeated(0, 20));
      t.equal(await fired('hotShards'), 19);
      t.equal(await fired('throttle'), 10);
    });

    t.test('shardBurstSeconds: a budget holds so many seconds of its rate', async (t) => {
      await simulator.faults({ throttle: true, shardRecordsPerSecond: 2, shardBurstSeconds: 30 });
      t.equal((await put(...repeated(0, 70))).FailedRecordCount, 10);
      await simulator.reset();
      await simulator.faults({ throttle: true, shardBytesPerSecond: 1_000, shardBurstSeconds: 5 });
      const Records = Array.from({ length: 8 }, () => entry(0, 999));
      const { FailedRecordCount } = await client.send(new PutRecordsCommand({ StreamName, Records }));
      t.equal(FailedRecordCount, 3);
    });
  });
}
