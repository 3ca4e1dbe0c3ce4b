import { PutRecordsCommand } from '@aws-sdk/client-kinesis';
import t from 'tap';
import { clientFor, failureOf, simulatorFor } from './peers.ts';
import { ask } from './raw.ts';

const StreamName = 'orders';
const body = { StreamName, Records: Array.from({ length: 5 }, () => ({ PartitionKey: 'k', Data: Buffer.from('x') })) };

for (const counting of [false, true]) {
  const mode = counting ? 'counting' : 'keeping';
  t.test(`spoiled answers (${mode})`, async (t) => {
    const simulator = await simulatorFor(t, { counting });
    t.beforeEach(async () => {
      await simulator.faults({});
      await simulator.reset();
    });
    const fired = async (name: string): Promise<number> => (await simulator.stats()).faultsFired[name] ?? 0;
    const accepted = async (): Promise<number> => (await simulator.stats()).records.accepted;

    for (const wire of ['json', 'cbor'] as const) {
      const put = () => ask(simulator.url, { operation: 'PutRecords', body, wire });
      t.test(`miscountShare: one record too many or too few, all stored, in ${wire}`, async (t) => {
        await simulator.faults({ miscountShare: 1, seed: 2 });
        const lengths = new Set<number>();
        for (let count = 0; count < 20; count++) {
          const answer = (await put()).body as { Records: unknown[]; FailedRecordCount: number };
          t.equal(answer.FailedRecordCount, 0);
          lengths.add(answer.Records.length);
        }
        t.strictSame([...lengths].sort(), [4, 6]);
        t.equal(await fired('miscountShare'), 20);
        t.equal(await accepted(), 100);
        const listed = await ask(simulator.url, { operation: 'ListShards', body: { StreamName }, wire });
        t.equal((listed.body as { Shards: unknown[] }).Shards.length, 3, 'other operations are not miscounted');
      });
    }

    t.test('garbageShare: status 200 and a body that is none, all stored', async (t) => {
      await simulator.faults({ garbageShare: 1 });
      for (const protocol of ['http1', 'http2'] as const) {
        await failureOf(clientFor(t, simulator, protocol).send(new PutRecordsCommand(body)));
      }
      const cbor = await ask(simulator.url, { operation: 'PutRecords', body, wire: 'cbor' });
      t.match(cbor, { status: 200, body: /^undecodable/ });
      t.equal(await fired('garbageShare'), 3);
      t.equal(await accepted(), 15);
    });

    t.test('lateShare: the answer comes after the patience of the client, all stored', async (t) => {
      await simulator.faults({ lateShare: 1, lateMs: 600_000 });
      const client = clientFor(t, simulator);
      const abortSignal = AbortSignal.timeout(300);
      const failure = await failureOf(client.send(new PutRecordsCommand(body), { abortSignal }));
      t.match(failure.name, /AbortError|TimeoutError/);
      t.equal(await accepted(), 5);
      t.equal(await fired('lateShare'), 1);
      await simulator.faults({ lateShare: 1, lateMs: 80 });
      const before = performance.now();
      await client.send(new PutRecordsCommand(body));
      t.ok(performance.now() - before >= 79, 'not before its time');
    });
  });
}
