import t from 'tap';
import { connect } from '../../src/client/client.ts';
import { startSimulator } from '../../src/simulator/process.ts';
import { Rig, until } from './running.ts';

t.test(
  'a stream that hangs holds up no other: its events spill, the others arrive, and it catches up by itself',
  async (t) => {
    const rig = await Rig.start(t);
    const other = await startSimulator({ streams: [{ name: 'hung', shards: 2 }] });
    t.teardown(() => other.stop());
    await other.faults({ hang: true });
    const hungSocket = `${rig.directory}/hung.sock`;
    const daemon = await rig.daemon(
      '',
      `[[stream]]
name = "hung"
region = "us-east-1"
endpoint = "${other.url}"
request_timeout = "1s"
[[listen]]
kind = "unix"
path = "${hungSocket}"
stream = "hung"
[breaker]
failures = 2
open_after = "1s"
`,
    );
    const hung = await connect({ path: hungSocket });
    const count = 100_000;
    let hungSent = 0;
    for (let sent = 0; sent < count; sent += 5_000) {
      for (; hungSent < sent / 5; hungSent++) hung.send(rig.events.keyOf(hungSent), rig.events.dataOf(hungSent));
      await hung.flush();
      t.match(await rig.send(daemon.socket, sent, sent + 5_000), { accepted: 5_000, refused: 0 });
    }
    const streams = async () => (await daemon.status()).streams;
    await until(streams, ({ orders }) => orders?.ledger.delivered === count, 20_000);
    const meanwhile = await streams();
    t.equal(meanwhile['hung']?.ledger.delivered, 0, 'nothing of the hung stream has arrived');
    t.equal(meanwhile['orders']?.ledger.dlq, 0, 'nothing of the other stream was spilled');
    t.match((await rig.readBack(count)).counts(), { lost: 0, duplicated: 0, altered: 0 });
    t.match(await hung.close(), { accepted: hungSent, refused: 0 });
    await until(streams, ({ hung: now }) => now?.breaker === 'open');
    await other.faults({});
    await until(streams, ({ hung: now }) => now?.ledger.delivered === hungSent && now.ledger.dlq === 0);
    const found = new Set<string>();
    for await (const { data } of other.events('hung')) found.add(data);
    t.equal(found.size, hungSent, 'and none of its events is lost');
    t.equal(await daemon.stop(), 0);
  },
);
