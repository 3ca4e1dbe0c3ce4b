/**
 * Lane: the daemon is killed with SIGKILL at a random moment while it spills, again and again. After each restart every entry
 * that stood whole on disk is delivered, and in every second round the last segment is torn as well: the tear is cut and said.
 *
 *   node dist/test/long/kill-while-spilling.js [--seed N] [--scale SHARE]        30 rounds at scale 1
 */
import { join } from 'node:path';
import { type LogLine, Rig, type RunningDaemon, until } from '../daemon/running.ts';
import { bytes200, events200 } from './parts/delivery.ts';
import { spillSegments, tear, wholeEvents } from './parts/disk.ts';
import { type Lane, runLane } from './parts/lane.ts';
import { startSender } from './parts/sending.ts';
import { pause } from './parts/watch.ts';

const eventsPerSecond = 50_000;
/** The kill comes so long after the breaker has opened, at most. */
const spillMsMax = 1_500;
/** Numbers that one round may use. */
const roundEvents = 1_000_000;

interface Round {
  readonly whole: ReadonlySet<number>;
  readonly torn: string | undefined;
  /** By the sender's acknowledgements, at level memory. */
  readonly accepted: number;
}

await runLane('kill-while-spilling: whole entries are delivered, torn ones are cut', async (lane) => {
  const rounds = lane.sized(30, 2);
  const rig = await Rig.start(lane, lane.seed, { tls: true, keepBytes: 4 * 1024 ** 3 }, events200());
  const expected = new Set<number>();
  let tears = 0;
  let emptied = 0;
  let acknowledged = 0;
  for (let round = 0; round < rounds; round++) {
    const { whole, torn, accepted } = await killOnce(lane, rig, round);
    acknowledged += accepted;
    const daemon = await rig.daemon();
    const recovered = await checkRecovery(lane, daemon, round, whole, torn);
    if (torn !== undefined) tears++;
    if (recovered === 0) emptied++;
    for (const id of whole) expected.add(id);
    if ((await daemon.stop()) !== 0) lane.check(`round ${round}: the daemon stops with 0`, false);
  }
  const oracle = await rig.readBack(rounds * roundEvents);
  let lost = 0;
  for (const id of expected) if (oracle.seen[id] === 0) lost++;
  lane.figure('kills', rounds);
  lane.figure('acknowledged at level memory', acknowledged);
  lane.figure('entries that stood whole on disk', expected.size);
  lane.check('every round left entries on disk', emptied === 0, `${rounds - emptied} of ${rounds}`);
  lane.check('some segments were torn', tears >= Math.floor(rounds / 2), tears);
  lane.check('lost of the whole entries', lost === 0, lost);
  lane.check('altered', oracle.altered === 0, oracle.altered);
  lane.figure('delivered twice', oracle.counts().duplicated);
});

/** Starts a daemon without an endpoint, and kills it while it spills. */
async function killOnce(lane: Lane, rig: Rig, round: number): Promise<Round> {
  await rig.simulator.faults({ refuse: true });
  const daemon = await rig.daemon('', '[breaker]\nfailures = 1\n');
  const sender = await startSender(lane, {
    path: daemon.socket,
    events: bytes200,
    from: round * roundEvents,
    eventsPerSecond,
    phase: 'all',
  });
  await daemon.line(({ kind, to }) => kind === 'breaker' && to === 'open');
  await pause(20 + lane.random() * spillMsMax);
  daemon.process.kill('SIGKILL');
  await daemon.exited;
  const { accepted } = await sender.report;
  const segments = spillSegments(join(rig.directory, 'state', 'dlq'));
  const last = segments.at(-1);
  const torn = round % 2 === 1 && last !== undefined ? tear(last, [lane.random(), lane.random()]) : undefined;
  await rig.simulator.faults({});
  return { whole: wholeEvents(segments, rig.events), torn, accepted };
}

/** Waits until all that was found is delivered; returns how many events that were, by the daemon's books. */
async function checkRecovery(
  lane: Lane,
  daemon: RunningDaemon,
  round: number,
  whole: ReadonlySet<number>,
  torn: string | undefined,
): Promise<number> {
  const { ledger: found } = await until(
    () => daemon.status(),
    ({ index }) => index.indexed === index.segments,
  );
  const { recovered } = await until(
    () => daemon.ledger(),
    (now) => now.delivered === now.recovered && now.inFlight === 0 && now.dlq === 0,
  );
  const cut = daemon.log.find((line: LogLine) => line.kind === 'dlq' && line['event'] === 'torn');
  const name = `round ${round}${torn === undefined ? '' : ` (${torn})`}`;
  lane.check(`${name}: what stood whole was recovered`, recovered === whole.size, `${recovered} of ${whole.size}`);
  if (torn !== undefined) lane.check(`${name}: the tear is reported`, cut !== undefined, cut?.msg ?? '');
  return found.recovered;
}
