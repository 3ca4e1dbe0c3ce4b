import {
  CreateStreamCommand,
  DeleteStreamCommand,
  UpdateStreamRecordDistributionStrategyCommand,
} from '@aws-sdk/client-kinesis';
import t from 'tap';
import { connect } from '../../src/client/client.ts';
import { drained, type LogLine, Rig, until } from './running.ts';

const surveyed =
  (words: string) =>
  ({ kind, msg }: LogLine): boolean =>
    kind === 'config' && msg.includes(words);

t.test("an event over the stream's own limit is refused at once, and told the limit", async (t) => {
  const rig = await Rig.start(t);
  const daemon = await rig.daemon('record_bytes_max = "1536KiB"');
  await daemon.line(surveyed('1048576'));
  const refusals: { code: string; message: string }[] = [];
  const client = await connect({
    path: daemon.socket,
    onRefusal: ({ code, message }) => refusals.push({ code, message }),
  });
  client.send('key', Buffer.alloc(1_048_576 - 3));
  client.send('key', Buffer.alloc(1_048_576 - 2));
  t.match(await client.close(), { accepted: 1, refused: 1 });
  t.match(refusals, [{ code: 'event_too_large', message: /record limit [(]1048576 bytes[)]/ }]);
  await until(() => daemon.ledger(), drained(1));
  t.equal(await daemon.stop(), 0);
});

t.test('when the stream goes over to AUTO, nothing is aggregated any more, and events arrive', async (t) => {
  const rig = await Rig.start(t);
  await rig.operate((StreamARN) => new DeleteStreamCommand({ StreamARN }));
  await rig.operate(
    () => new CreateStreamCommand({ StreamName: 'orders', StreamModeDetails: { StreamMode: 'ON_DEMAND' } }),
  );
  const daemon = await rig.daemon();
  const half = 20_000;
  await rig.send(daemon.socket, 0, half);
  await until(() => daemon.ledger(), drained(half));
  t.ok(((await rig.simulator.stats()).streams['orders']?.aggregates ?? 0) > 0, 'events shared records');
  await rig.operate(
    (StreamARN) => new UpdateStreamRecordDistributionStrategyCommand({ StreamARN, RecordDistributionStrategy: 'AUTO' }),
  );
  // Evidence for the daemon: what it sends lands on shards that it did not expect.
  let sent = half;
  const noticed = daemon.line(surveyed('distribution AUTO'));
  const state = { isNoticed: false };
  void noticed.then(() => {
    state.isNoticed = true;
  });
  while (!state.isNoticed) {
    await rig.send(daemon.socket, sent, sent + 1_000);
    sent += 1_000;
  }
  await until(() => daemon.ledger(), drained(sent));
  const before = (await rig.simulator.stats()).streams['orders']?.aggregates;
  await rig.send(daemon.socket, sent, sent + half);
  await until(() => daemon.ledger(), drained(sent + half));
  t.equal((await rig.simulator.stats()).streams['orders']?.aggregates, before, 'no aggregate since');
  const found = await rig.readBack(sent + half);
  t.match(found.counts(0, half), { lost: 0, duplicated: 0 });
  t.match(found.counts(sent, sent + half), { lost: 0, duplicated: 0, altered: 0 });
  t.equal(await daemon.stop(), 0);
});

t.test('a stream that may not be described is delivered to without aggregates', async (t) => {
  const rig = await Rig.start(t);
  await rig.simulator.faults({ denyOperations: ['DescribeStreamSummary'] });
  const daemon = await rig.daemon();
  await daemon.line(({ level, kind, msg }) => level === 'warn' && kind === 'config' && /kinesis:Describe/.test(msg));
  const count = 5_000;
  await rig.send(daemon.socket, 0, count);
  await until(() => daemon.ledger(), drained(count));
  t.equal((await rig.simulator.stats()).streams['orders']?.aggregates, 0);
  t.strictSame((await rig.readBack(count)).counts(), { lost: 0, duplicated: 0, altered: 0 });
  t.equal(await daemon.stop(), 0);
});
