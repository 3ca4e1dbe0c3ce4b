/**
 * Lane: of three streams in one daemon, one dies in turn in each way that Kinesis can die (refused connections, requests that hang,
 * errors); the other two keep at least 95 % of their rate. Rounds with and without the death take turns, so that a busy machine
 * troubles both alike; the dead stream gets a steady load of its own all the while, which spills, and drains by itself.
 */
import { startSimulator } from '../../src/simulator/process.ts';
import { Rig, until } from '../daemon/running.ts';
import { bytes200, events200 } from './parts/delivery.ts';
import { type Lane, runLane } from './parts/lane.ts';
import { startSender } from './parts/sending.ts';

const leastShare = 0.95;
const rounds = 5;
const deaths = [{ refuse: true }, { hang: true }, { share500: 1 }] as const;

await runLane('dead-stream: a dead stream leaves the others their rate', async (lane) => {
  const rig = await Rig.start(lane, lane.seed, { tls: true, counting: true }, events200());
  const dying = await startSimulator({ streams: [{ name: 'dying', shards: 4 }], tls: true });
  lane.teardown(() => dying.stop());
  const sockets = ['second', 'dying'].map((name) => `${rig.directory}/${name}.sock`) as [string, string];
  const daemon = await rig.daemon(
    '',
    `[[stream]]
name = "second"
stream_name = "orders"
region = "us-east-1"
endpoint = "${rig.simulator.url}"
ca_file = "${rig.simulator.caFile}"
[[stream]]
name = "dying"
region = "us-east-1"
endpoint = "${dying.url}"
ca_file = "${dying.caFile}"
[[listen]]
kind = "unix"
path = "${sockets[0]}"
stream = "second"
[[listen]]
kind = "unix"
path = "${sockets[1]}"
stream = "dying"
`,
    { daemonLines: 'memory_budget = "512MiB"' },
  );
  const steady = await startSender(lane, {
    path: sockets[1],
    events: bytes200,
    from: 0,
    eventsPerSecond: 2_000,
    phase: 'all',
  });
  const count = lane.sized(1_000_000);
  let from = 0;
  const rate = async (): Promise<number> => {
    const start = performance.now();
    const both = [daemon.socket, sockets[0]].map((path) =>
      startSender(lane, { path, events: bytes200, from, count, phase: 'all' }),
    );
    for (const sender of await Promise.all(both)) await sender.report;
    from += count;
    await until(
      async () => (await daemon.status()).streams,
      (now) => ['orders', 'second'].every((name) => now[name]?.ledger.delivered === from),
      120_000,
    );
    return (2000 * count) / (performance.now() - start);
  };
  await rate();
  for (const death of deaths) await compare(lane, rate, dying, death);
  const { sent, accepted } = await steady.stop();
  lane.check('every event of the dying stream was accepted', sent === accepted, accepted);
  await until(
    async () => (await daemon.status()).streams,
    (now) => now['dying']?.ledger.delivered === accepted && now['dying'].ledger.dlq === 0,
    120_000,
  );
  lane.check('and delivered, when the stream was back', true);
  lane.check('the daemon stops with 0', (await daemon.stop()) === 0);
});

async function compare(
  lane: Lane,
  rate: () => Promise<number>,
  dying: { faults(faults: object): Promise<object> },
  death: object,
): Promise<void> {
  const alive: number[] = [];
  const dead: number[] = [];
  for (let round = 0; round < rounds; round++) {
    await dying.faults({});
    alive.push(await rate());
    await dying.faults(death);
    dead.push(await rate());
  }
  await dying.faults({});
  const [healthy, left] = [median(alive), median(dead)];
  lane.figure(
    `${JSON.stringify(death)}: events/s of the others before, after`,
    `${Math.round(healthy)}, ${Math.round(left)}`,
  );
  lane.check(`they keep ${leastShare} of their rate`, left >= leastShare * healthy, (left / healthy).toFixed(3));
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] as number;
}
