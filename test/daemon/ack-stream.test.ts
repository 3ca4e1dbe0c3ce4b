import { join } from 'node:path';
import t from 'tap';
import { order } from '../fault/worker-kills.ts';
import { drained, Rig, until } from './running.ts';
import { eventsById, WatchedSender } from './watched.ts';

// Daemons that cannot deliver are stopped here: they need not try for long.
process.env['SPILLWAY_DAEMON_DRAIN_TIMEOUT'] = '200ms';

/** Whatever else this machine does, events stay in their rings. */
const patient = '[breaker]\nopen_after = "1m"\n';
const twoLanes = { SPILLWAY_DAEMON_LANES: '2', SPILLWAY_DAEMON_MEMORY_BUDGET: '512MiB' };

t.test('an ack of level stream comes when Kinesis has the event, not before', async (t) => {
  const rig = await Rig.start(t);
  const daemon = await rig.daemon('linger = "10ms"', patient);
  await rig.simulator.faults({ latencyMs: 300 });
  const sender = await new WatchedSender(rig).open(daemon.socket);
  const count = 1_000;
  const startMs = performance.now();
  await sender.send(0, count);
  await until(
    async () => (await daemon.ledger()).accepted,
    (accepted) => accepted === count,
  );
  t.equal(sender.acked, 0, 'accepted is not yet acknowledged');
  t.strictSame(await sender.client.flush(), { accepted: count, refused: 0 });
  t.equal((await eventsById(rig)).size, count, 'what is acknowledged is in the stream');
  t.ok((sender.firstAckMs as number) - startMs >= 300, 'the answer of Kinesis took 300 ms');
  t.strictSame(await sender.client.close(), { accepted: count, refused: 0 });
  t.equal(await daemon.stop(), 0);
});

t.test(
  'each ack covers only what Kinesis has answered, over two lanes whose answers overtake each other',
  async (t) => {
    const rig = await Rig.start(t, 3);
    const daemon = await rig.daemon('linger = "5ms"\naggregate_bytes = "4KiB"', patient, { environment: twoLanes });
    const latencyMs = 20;
    await rig.simulator.faults({ latencyMs, latencyJitterMs: 60, shareFailedRecords: 0.05 });
    const sender = await new WatchedSender(rig).open(daemon.socket);
    const count = 20_000;
    /** When each event was acknowledged, by its number. */
    const ackedMs: number[] = [];
    sender.onAck = (number) => {
      while (ackedMs.length < number) ackedMs.push(Date.now());
    };
    for (let i = 0; i < count; i += 500) {
      await sender.send(i, i + 500);
      await until(
        async () => sender.acked,
        (acked) => acked >= i - 2_000,
      );
    }
    t.match(await sender.client.close(), { accepted: count, refused: 0 });
    const there = await eventsById(rig);
    t.equal(there.size, count);
    t.ok(new Set(ackedMs).size > 5, 'they were acknowledged little by little');
    // Answers wait at least this long behind the arrival; both clocks are cut to milliseconds.
    const early = [...there].filter(([id, { arrivalMs }]) => (ackedMs[id] as number) < arrivalMs + latencyMs - 2);
    t.strictSame(early.slice(0, 10), []);
    t.equal(await daemon.stop(), 0);
  },
);

t.test(
  'in an outage each event is told to be on disk: at once what is spilled, at its deadline what is in a ring',
  async (t) => {
    const rig = await Rig.start(t);
    const daemon = await rig.daemon('deadline = "1500ms"', '[breaker]\nfailures = 2\nhalf_open_after = "5s"\n');
    await rig.simulator.faults({ refuse: true });
    const sender = await new WatchedSender(rig).open(daemon.socket);
    await sender.send(0, 1_000);
    await daemon.line(({ kind, to }) => kind === 'breaker' && to === 'open');
    const openMs = performance.now();
    await sender.send(1_000, 3_000);
    await until(
      async () => sender.refusals.reduce((sum, { count }) => sum + count, 0),
      (told) => told === 2_000,
    );
    t.ok(performance.now() - openMs < 1_000, 'spilled events are told before the others meet their deadline');
    t.match(sender.refusals, [{ first: 1_001, code: 'on_disk', retryable: false, retryAfterMs: 0 }]);
    t.equal(sender.acked, 0, 'the ack waits for the events before them');
    t.strictSame(await sender.client.flush(), { accepted: 3_000, refused: 0, onDisk: 3_000 });
    await rig.simulator.faults({});
    await until(() => daemon.ledger(), drained(3_000));
    t.strictSame((await rig.readBack(3_000)).counts(), { lost: 0, duplicated: 0, altered: 0 });
    await sender.client.close();
    t.equal(await daemon.stop(), 0);
  },
);

t.test('a dead letter is told as rejected, its neighbours are acknowledged', async (t) => {
  const rig = await Rig.start(t);
  // The stream takes records of 1 MiB, this daemon believes in more: it may not ask.
  await rig.simulator.faults({ denyOperations: ['DescribeStreamSummary'] });
  const daemon = await rig.daemon('record_bytes_max = "1536KiB"');
  const sender = await new WatchedSender(rig).open(daemon.socket);
  await sender.send(0, 10);
  sender.client.send('poison', Buffer.alloc(1_100_000, 0x70));
  await sender.send(10, 20);
  t.strictSame(await sender.client.close(), { accepted: 20, refused: 1 });
  t.match(sender.refusals, [{ first: 11, count: 1, code: 'rejected', retryable: false }]);
  t.equal(sender.refusals.length, 1);
  t.equal(await daemon.stop(), 0);
});

t.test('receipts name shard, sequence number and place as a consumer finds them', async (t) => {
  const rig = await Rig.start(t, 5);
  const daemon = await rig.daemon('linger = "20ms"\naggregate_bytes = "8KiB"', patient, { environment: twoLanes });
  await rig.simulator.faults({ shareFailedRecords: 0.1, latencyJitterMs: 40 });
  const plain = await new WatchedSender(rig).open(daemon.socket);
  const sender = await new WatchedSender(rig).open(daemon.socket, true);
  const count = 5_000;
  for (let i = 0; i < count; i += 100) {
    await sender.send(i, i + 100);
    await plain.send(count + i, count + i + 100);
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.match(await sender.client.close(), { accepted: count });
  t.match(await plain.client.close(), { accepted: count });
  const there = await eventsById(rig);
  const expected = Array.from({ length: count }, (_, id) => {
    const { shardId, sequenceNumber, subSequence } = there.get(id) ?? {};
    return { shardId, sequenceNumber, subSequence };
  });
  t.equal(sender.receipts.length, count);
  t.strictSame(sender.receipts, expected);
  t.ok(new Set(expected.map(({ shardId }) => shardId)).size > 1, 'over several shards');
  t.equal(await daemon.stop(), 0);
});

t.test('a daemon that stops acknowledges what it delivers meanwhile, then says that it drains', async (t) => {
  const rig = await Rig.start(t);
  const daemon = await rig.daemon('linger = "10ms"', patient);
  // Its first request is behind it: the next ones take as long as the simulator says.
  await rig.send(daemon.socket, 0, 1);
  await until(() => daemon.ledger(), drained(1));
  await rig.simulator.faults({ latencyMs: 200 });
  let closed: { readonly error?: { readonly code: string }; readonly count: number } | undefined;
  const sender = await new WatchedSender(rig).open(daemon.socket, false, {
    onClose: (how) => {
      closed = how;
    },
  });
  const count = 500;
  await sender.send(1, count + 1);
  await until(
    async () => (await daemon.ledger()).accepted,
    (accepted) => accepted === count + 1,
  );
  t.equal(await daemon.stop(), 0);
  t.equal(sender.acked, count);
  t.match(closed, { error: { code: 'draining' }, count: 0 });
  t.equal((await eventsById(rig)).size, count + 1);
});

t.test('a lane worker that dies holds up no ack; what it alone knew is told as unknown', async (t) => {
  const rig = await Rig.start(t, 9);
  await rig.simulator.faults({ latencyMs: 20, latencyJitterMs: 40 });
  const faultSocket = join(rig.directory, 'faults.sock');
  const daemon = await rig.daemon('aggregate_bytes = "16KiB"\nlinger = "20ms"', '', {
    environment: {
      ...twoLanes,
      NODE_OPTIONS: `--import ${new URL('../fault/lane-faults.js', import.meta.url).href}`,
      LANE_FAULTS_SOCKET: faultSocket,
    },
  });
  const sender = await new WatchedSender(rig).open(daemon.socket, true);
  const count = 20_000;
  for (let kill = 0; kill < 4; kill++) {
    await sender.send(kill * 5_000, kill * 5_000 + 4_000);
    await order(faultSocket, kill % 2 === 0 ? 'exit' : 'exception');
    await sender.send(kill * 5_000 + 4_000, (kill + 1) * 5_000);
    await until(
      async () => daemon.log.filter(({ kind, state }) => kind === 'worker' && state === 'replaced').length,
      (replaced) => replaced === kill + 1,
    );
  }
  t.match(await sender.client.close(), { accepted: count, refused: 0 });
  // While a lane had no worker its breaker may have opened: these are told, and have no receipt.
  const onDisk = new Set<number>();
  for (const { first, count: run } of sender.refusals) for (let i = 0; i < run; i++) onDisk.add(first - 1 + i);
  t.ok(sender.refusals.every(({ code }) => code === 'on_disk'));
  await until(
    () => daemon.ledger(),
    ({ inFlight, dlq }) => inFlight === 0 && dlq === 0,
  );
  const places = new Map<number, Set<string>>();
  for await (const { data, shardId, sequenceNumber, subSequence } of rig.simulator.events('orders')) {
    const id = rig.events.idOf(Buffer.from(data, 'base64'));
    places.set(id, (places.get(id) ?? new Set()).add(JSON.stringify({ shardId, sequenceNumber, subSequence })));
  }
  t.equal(places.size, count, 'all that was acknowledged is there');
  const silent = Array.from({ length: count }, (_, id) => id).filter(
    (id) => onDisk.has(id) === (sender.receipts[id] !== undefined),
  );
  t.strictSame(silent, [], 'each is on disk, or has a receipt, or null');
  const wrong = sender.receipts.filter(
    (receipt, id) => receipt !== null && receipt !== undefined && places.get(id)?.has(JSON.stringify(receipt)) !== true,
  );
  t.strictSame(wrong, [], 'no receipt names a place where the event is not');
  t.equal(await daemon.stop(), 0);
});
