/**
 * Lane: the failures that other agents were measured under, and what becomes of the events here, as rows of a table: one record
 * in a thousand or ten thousand refused, half a minute without endpoint, 95 % of what four shards take. The daemon has its
 * defaults; rows that say so send each event as a record of its own, as the others did, so that there are records to refuse.
 *
 * What the others did was measured on the same kind of machine (2 cores, TLS, a local endpoint that knew every event).
 */
import { NumberedEvents } from '../daemon/numbered-events.ts';
import { drained, Rig, until } from '../daemon/running.ts';
import { bytes200, checkBooks, checkUnansweredStream } from './parts/delivery.ts';
import { type Lane, runLane } from './parts/lane.ts';
import { startSender } from './parts/sending.ts';
import { pause, type Sample, Watch } from './parts/watch.ts';

/** Many keys: a shard's part of them is within half a percent of a quarter. */
const events = { ...bytes200, keys: 100_000 };
/** Data and partition key of one event, as budgets of shards count them. */
const eventBytes = 209;
const shards = 4;
/** Share of the shards' limits that is offered. */
const load = 0.95;
const lateMsMax = 5_000;
const alone = 'aggregation = false';

interface Case {
  readonly name: string;
  /** Fluent Bit 5.1.1 with its defaults. */
  readonly rival: string;
  readonly stream: string;
  readonly eventsPerSecond: number;
  readonly seconds: number;
  readonly faults: object;
  /** In the middle third only; else all the time. */
  readonly passing?: true;
}

const throttled = { throttle: true };
const refused = { eventsPerSecond: 20_000, seconds: 60 };
const cases: readonly Case[] = [
  {
    name: '0.1 % of records refused',
    rival: '83 % lost, 8 % duplicated',
    stream: '',
    ...refused,
    faults: failing(0.001),
  },
  { name: 'the same, an event a record', rival: '', stream: alone, ...refused, faults: failing(0.001) },
  {
    name: '0.01 % of records refused',
    rival: '19 % lost, 19 % duplicated',
    stream: '',
    ...refused,
    faults: failing(0.0001),
  },
  { name: 'the same, an event a record', rival: '', stream: alone, ...refused, faults: failing(0.0001) },
  {
    name: '30 s outage',
    rival: '36-38 % lost',
    stream: '',
    eventsPerSecond: 20_000,
    seconds: 90,
    faults: { refuse: true },
    passing: true,
  },
  {
    name: '95 % of the bytes of four shards',
    rival: '25 lost, 7 % duplicated, or 24 % duplicated and 55 s late',
    stream: '',
    eventsPerSecond: (load * shards * 1_000_000) / eventBytes,
    seconds: 60,
    faults: throttled,
  },
  {
    name: '95 % of the records of four shards, an event a record',
    rival: 'the same',
    stream: alone,
    eventsPerSecond: load * shards * 1_000,
    seconds: 60,
    faults: throttled,
  },
];

function failing(shareFailedRecords: number): object {
  return { shareFailedRecords };
}

await runLane('failure-table: what becomes of events when a part of Kinesis fails', async (lane) => {
  const rows: string[] = [];
  for (const failure of cases) {
    rows.push(await suffer(lane, failure));
    await lane.end();
  }
  lane.line('| failure | Fluent Bit, its defaults | spillway, its defaults |');
  lane.line('|---|---|---|');
  for (const row of rows) lane.line(row);
});

/** Runs one case and checks it; returns its row. */
async function suffer(lane: Lane, failure: Case): Promise<string> {
  const { name, rival, stream, eventsPerSecond, faults, passing } = failure;
  lane.line(`  ${name}`);
  const rig = await Rig.start(lane, lane.seed, { tls: true, keepBytes: 4 * 1024 ** 3 }, new NumberedEvents(events));
  const daemon = await rig.daemon(stream);
  const watch = new Watch(lane, daemon, 100);
  const ms = lane.sized(failure.seconds * 1_000, 3_000);
  const plan = { path: daemon.socket, events, from: 0, eventsPerSecond, phase: 'all' };
  const sender = await startSender(lane, plan);
  if (passing) await pause(ms / 3);
  await rig.simulator.faults({ ...faults, seed: lane.seed });
  await pause(passing ? ms / 3 : ms);
  if (passing) await rig.simulator.faults({});
  const overMs = passing ? Date.now() : Date.now() - ms;
  if (passing) await pause(ms / 3);
  const report = await sender.stop();
  const ledger = await until(() => daemon.ledger(), drained(report.accepted), 120_000);
  await watch.end();
  const { records } = await rig.simulator.stats();
  lane.figure('events sent', report.sent);
  lane.figure('records taken and refused', `${records.accepted} and ${records.failed}`);
  lane.check('nothing was refused to the sender', report.refusedEvents === 0, report.refusedEvents);
  checkBooks(lane, ledger, { accepted: report.accepted, refused: report.refusedEvents });
  const oracle = await checkUnansweredStream(lane, rig, report.sent);
  const { lost, duplicated } = oracle.counts();
  // Where connections broke, what was stored and not answered comes again; the check before bounds it.
  if (!passing) lane.check('duplicated', duplicated === 0, duplicated);
  const lateMs = latest(watch.samples, overMs);
  lane.check(`the oldest is at most ${lateMsMax} ms late`, lateMs <= lateMsMax, `${Math.round(lateMs)} ms`);
  lane.check('the daemon stops with 0', (await daemon.stop()) === 0);
  return `| ${name} | ${rival} | ${lost} lost, ${duplicated} duplicated, ${(lateMs / 1000).toFixed(1)} s late |`;
}

/** How late the oldest waiting event was at most, after `overMs`: time before that was nobody's to use. */
function latest(samples: readonly Sample[], overMs: number): number {
  return samples
    .filter(({ atMs }) => atMs >= overMs)
    .reduce((most, { atMs, status }) => Math.max(most, Math.min(status.backlog.oldestMs, atMs - overMs)), 0);
}
