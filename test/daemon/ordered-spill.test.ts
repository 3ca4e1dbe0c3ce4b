import t from 'tap';
import { connect } from '../../src/client/client.ts';
import { drained, type LogLine, Rig, type Rig as RunningRig, until } from './running.ts';

const breaker = '[breaker]\nfailures = 1\nhalf_open_after = "100ms"\n';

const orderMoved =
  (state: string) =>
  ({ kind, event }: LogLine): boolean =>
    kind === 'dlq' && event === `order_${state}`;

/** Sends 20 events every 10 ms, from `from` on, until told; resolves to how many were taken, all of them without a refusal. */
function sendLightly(rig: RunningRig, socket: string, from: number): { stop: () => Promise<number> } {
  const stopping = new AbortController();
  const sending = (async () => {
    const client = await connect({ path: socket });
    let next = from;
    while (!stopping.signal.aborted) {
      for (let i = 0; i < 20; i++, next++) client.send(rig.events.keyOf(next % 50), rig.events.dataOf(next));
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const { refused } = await client.close();
    if (refused > 0) throw new Error(`${refused} refused`);
    return next - from;
  })();
  return {
    stop: () => {
      stopping.abort();
      return sending;
    },
  };
}

/** Faults of what Kinesis has, by the first occurrence of each event: numbers of one key that go back, and what is missing. */
async function faultsOf(rig: RunningRig, count: number): Promise<string[]> {
  const last = new Map<string, number>();
  const seen = new Set<number>();
  const faults: string[] = [];
  for await (const { partitionKey, data } of rig.simulator.events('orders')) {
    const id = rig.events.idOf(Buffer.from(data, 'base64'));
    if (seen.has(id)) continue;
    seen.add(id);
    const before = last.get(partitionKey) ?? -1;
    if (id < before) faults.push(`${partitionKey}: ${id} after ${before}`);
    last.set(partitionKey, id);
  }
  if (seen.size !== count) faults.push(`${seen.size} of ${count} events`);
  return faults;
}

t.test('an outage under light traffic spills and replays, and no key loses its order', async (t) => {
  const rig = await Rig.start(t);
  const daemon = await rig.daemon('ordering = "key"\nlinger = "5ms"', breaker);
  const sender = sendLightly(rig, daemon.socket, 0);
  await until(
    () => daemon.ledger(),
    ({ delivered }) => delivered > 200,
  );
  await rig.simulator.faults({ refuse: true });
  await daemon.line(orderMoved('parked'));
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  await rig.simulator.faults({});
  await daemon.line(orderMoved('direct'));
  const count = await sender.stop();
  const ledger = await until(() => daemon.ledger(), drained(count));
  t.match(ledger, { received: count, refused: 0, dropped: 0 });
  t.strictSame(await faultsOf(rig, count), []);
  t.equal(await daemon.stop(), 0);
});

t.test(
  'stopped in the middle of an outage and killed while it replays, a daemon keeps the order over its restarts',
  async (t) => {
    process.env['SPILLWAY_DAEMON_DRAIN_TIMEOUT'] = '200ms';
    const rig = await Rig.start(t);
    const options =
      'ordering = "key"\nlinger = "5ms"\nbatch_bytes = "64KiB"\nrecord_bytes_max = "16KiB"\naggregate_bytes = "16KiB"';
    const first = await rig.daemon(options, breaker);
    const sender = sendLightly(rig, first.socket, 0);
    await until(
      () => first.ledger(),
      ({ delivered }) => delivered > 200,
    );
    await rig.simulator.faults({ refuse: true });
    await first.line(orderMoved('parked'));
    let count = await sender.stop();
    await rig.send(first.socket, count, count + 5_000);
    count += 5_000;
    t.equal(await first.stop(), 0);
    await rig.simulator.faults({ latencyMs: 30 });
    const second = await rig.daemon(options, breaker);
    const { delivered } = await until(
      () => second.ledger(),
      (now) => now.delivered > 500,
    );
    t.ok(delivered < 5_000, 'killed in the midst of its replay');
    second.process.kill('SIGKILL');
    await second.exited;
    const third = await rig.daemon(options, breaker);
    const more = sendLightly(rig, third.socket, count);
    await third.line(orderMoved('direct'));
    count += await more.stop();
    await until(
      () => third.ledger(),
      ({ inFlight, dlq, accepted, delivered: now, recovered }) =>
        inFlight === 0 && dlq === 0 && now === accepted + recovered,
    );
    t.strictSame(await faultsOf(rig, count), []);
    t.equal(await third.stop(), 0);
  },
);
