import { PutRecordsCommand } from '@aws-sdk/client-kinesis';
import t from 'tap';
import { until } from '../daemon/running.ts';
import { aggregateOf } from './aggregates.ts';
import { clientFor, failureOf, simulatorFor } from './peers.ts';

const StreamName = 'orders';
const aggregate = aggregateOf({ keys: ['k'], events: ['one', 'two', 'three'].map((data) => ({ key: 0, data })) });
const Records = [
  { PartitionKey: 'k', Data: aggregate },
  { PartitionKey: 'k', Data: Buffer.from('alone') },
];
/** In one request. */
const events = 4;

for (const kind of ['http1', 'http2'] as const) {
  t.test(`events whose sender had no whole and true answer are counted (${kind})`, async (t) => {
    const simulator = await simulatorFor(t);
    const client = clientFor(t, simulator, kind);
    const put = (abortSignal?: AbortSignal) =>
      client.send(new PutRecordsCommand({ StreamName, Records }), abortSignal === undefined ? {} : { abortSignal });
    const counted = async (): Promise<number | undefined> =>
      (await simulator.stats()).streams[StreamName]?.unansweredEvents;
    t.beforeEach(() => simulator.reset());

    t.test('not one where all is well, or where the request failed before anything was stored', async (t) => {
      await simulator.faults({ latencyMs: 5 });
      await put();
      for (const faults of [
        { resetShare: 1 },
        { share500: 1 },
        { shareFailedRecords: 1, resetShare: 1, resetStage: 'after' },
      ]) {
        await simulator.faults(faults);
        await failureOf(put());
      }
      t.equal(await counted(), 0);
    });

    const spoiling = [
      { resetShare: 1, resetStage: 'after' },
      { cutShare: 1 },
      { garbageShare: 1 },
      { garbageShare: 1, cutShare: 1 },
    ];
    for (const faults of spoiling) {
      t.test(`each of a request under ${JSON.stringify(faults)}`, async (t) => {
        await simulator.faults(faults);
        await failureOf(put());
        t.equal(await counted(), events);
      });
    }

    t.test('each of a request whose answer has one judgement too many or too few', async (t) => {
      await simulator.faults({ miscountShare: 1 });
      await put();
      t.equal(await counted(), events);
    });

    t.test(
      'each of a request whose client had gone before the answer was due, and whose port was closed before',
      async (t) => {
        await simulator.faults({ latencyMs: 300 });
        await failureOf(put(AbortSignal.timeout(100)));
        await until(counted, (count) => count === events);
        const failed = failureOf(put());
        await until(
          () => simulator.stats(),
          ({ records }) => records.accepted === 2 * Records.length,
        );
        await simulator.faults({ refuse: true });
        await failed;
        t.equal(await until(counted, (count) => count === 2 * events), 2 * events);
        t.equal((await simulator.stats()).streams[StreamName]?.events, 2 * events);
      },
    );
  });
}
