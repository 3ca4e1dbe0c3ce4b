import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { connect } from '../../src/client/client.ts';
import { backlogConfig, isOfFirst, writeBacklog } from '../dlq/backlog.ts';
import { Rig, until } from './running.ts';

/** Of the first stream, which keeps order: events, by key, that came before one of a smaller number. */
async function overtaken(rig: Rig, spilled: number): Promise<string[]> {
  const last = new Map<string, number>();
  const faults: string[] = [];
  for await (const { partitionKey, data } of rig.simulator.events('orders')) {
    const id = rig.events.idOf(Buffer.from(data, 'base64'));
    if (id < spilled && !isOfFirst(id)) continue;
    const before = last.get(partitionKey) ?? -1;
    if (id < before) faults.push(`${partitionKey}: ${id} after ${before}`);
    last.set(partitionKey, id);
  }
  return faults;
}

t.test(
  'a backlog in hundreds of segments, of four streams, one in order: events are taken at once, and all comes back',
  async (t) => {
    const rig = await Rig.start(t);
    const segments = 600;
    const directory = join(rig.directory, 'state', 'dlq');
    const backlog = await writeBacklog({ directory, segments, bytes: 12 * 1024 ** 2, events: rig.events });
    t.ok(backlog.segments >= segments, `${backlog.segments} segments`);
    const ordered = 'ordering = "key"\nlinger = "5ms"';
    const daemon = await rig.daemon(ordered, backlogConfig(rig.simulator.url, rig.simulator.caFile, 'linger = "5ms"'));
    const files = (): number => readdirSync(`/proc/${daemon.process.pid}/fd`).length;
    let mostFiles = 0;
    const watching = setInterval(() => {
      mostFiles = Math.max(mostFiles, files());
    }, 5);
    t.teardown(() => clearInterval(watching));
    const fresh = 2_000;
    const client = await connect({ path: daemon.socket });
    for (let id = backlog.spilled; id < backlog.spilled + fresh; id++) {
      client.send(rig.events.keyOf(id), rig.events.dataOf(id));
      if (id % 100 === 0) await client.flush();
    }
    t.match(await client.close(), { accepted: fresh, refused: 0 });
    const ready = daemon.log.findIndex(({ kind }) => kind === 'ready');
    const counted = await daemon.line(({ kind, event }) => kind === 'dlq' && event === 'recovered');
    t.ok(daemon.log.indexOf(counted) > ready, 'it was ready before all was counted');
    const { ledger, index } = await until(
      () => daemon.status(),
      ({ ledger: { inFlight, dlq }, index: { segments: all, indexed } }) =>
        inFlight === 0 && dlq === backlog.dead && indexed === all,
    );
    clearInterval(watching);
    t.equal(index.segments, backlog.segments);
    t.match(ledger, {
      accepted: fresh,
      recovered: backlog.spilled + backlog.dead,
      delivered: backlog.spilled + fresh,
      dropped: 0,
    });
    t.strictSame((await rig.readBack(backlog.spilled + fresh)).counts(), { lost: 0, duplicated: 0, altered: 0 });
    t.strictSame(await overtaken(rig, backlog.spilled), [], 'no fresh event overtook a spilled one of its key');
    const freeFiles = files();
    t.ok(mostFiles <= freeFiles + 40, `${mostFiles} open files at most, ${freeFiles} at the end`);
    t.equal(await daemon.stop(), 0);
  },
);
