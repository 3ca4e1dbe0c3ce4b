import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { drained, Rig, until } from './running.ts';
import { WatchedSender } from './watched.ts';

const disk = { ack: 'disk' } as const;

/** Whatever else this machine does, events stay in their rings. */
const patient = '[breaker]\nopen_after = "1m"\nfailures = 1000\n';

function filesOf(rig: Rig, pattern: RegExp): string[] {
  return readdirSync(join(rig.directory, 'state', 'dlq')).filter((name) => pattern.test(name));
}

t.test('what is acknowledged at level disk outlives a kill while Kinesis has none of it', async (t) => {
  const rig = await Rig.start(t);
  await rig.simulator.faults({ refuse: true });
  const daemon = await rig.daemon('', patient);
  const count = 5_000;
  const sender = await new WatchedSender(rig).open(daemon.socket, false, disk);
  await sender.send(0, count);
  t.match(await sender.client.close(), { accepted: count, refused: 0 });
  t.equal(sender.acked, count);
  t.match(await daemon.ledger(), { accepted: count, delivered: 0, dlq: 0 }, 'all of it was in a ring alone');
  t.match((await daemon.status()).journal, { events: count, waiting: 0 });
  daemon.process.kill('SIGKILL');
  await daemon.exited;
  await rig.simulator.faults({});
  const next = await rig.daemon('', patient);
  t.equal((await next.ledger()).recovered, count, 'the next run finds it');
  await until(() => next.ledger(), drained(count));
  const oracle = await rig.readBack(count);
  t.match(oracle.counts(), { lost: 0, duplicated: 0 });
  t.equal(oracle.altered, 0);
  t.equal(await next.stop(), 0);
  t.strictSame(filesOf(rig, /^journal/), []);
});

t.test('what was delivered before a kill does not come back, and nothing is left in the journal of a daemon that stops', async (t) => {
  const rig = await Rig.start(t);
  const daemon = await rig.daemon('linger = "5ms"', patient);
  const count = 20_000;
  const sender = await new WatchedSender(rig).open(daemon.socket, false, disk);
  await sender.send(0, count);
  t.match(await sender.client.close(), { accepted: count, refused: 0 });
  await until(() => daemon.ledger(), drained(count));
  t.strictSame(filesOf(rig, /^journal.*seg$/).length, 1, 'the journal is there');
  await until(
    async () => (await daemon.status()).journal,
    ({ behind }) => behind === 0,
  );

  daemon.process.kill('SIGKILL');
  await daemon.exited;
  const next = await rig.daemon('linger = "5ms"', patient);
  const { recovered } = await next.ledger();
  t.equal(recovered, 0);
  t.strictSame(filesOf(rig, /^journal/), [], 'a start removes what is done');
  const again = await new WatchedSender(rig).open(next.socket, false, disk);
  await again.send(count, 2 * count);
  t.match(await again.client.close(), { accepted: count, refused: 0 });
  t.equal(await next.stop(), 0);
  t.strictSame(filesOf(rig, /^journal/), [], 'and so does a stop');
  const oracle = await rig.readBack(2 * count);
  t.match(oracle.counts(), { lost: 0, duplicated: 0 });
});
