/**
 * Lane: a fleet of daemons loses its endpoint for a minute and finds it again. It heals by itself within two minutes, sends few
 * requests again over outage and healing, and does not come back all at once: what the endpoint sees is counted every 100 ms.
 *
 * ```
 *   8 senders ─▶ 8 daemons ─▶ one simulator         load ──▶ outage: the port is closed ──▶ healing: no backlog, no breaker open
 * ```
 *   node dist/test/long/heal.js [--seed N] [--scale SHARE] [--svg FILE]
 */
import { writeFileSync } from 'node:fs';
import { lineChartSvg } from '../../src/observe/svg.ts';
import { NumberedEvents } from '../daemon/numbered-events.ts';
import { drained, Rig, type RunningDaemon, type Status, until } from '../daemon/running.ts';
import { bytes200, checkBooks } from './parts/delivery.ts';
import { type Lane, runLane } from './parts/lane.ts';
import { type Sender, startSender } from './parts/sending.ts';
import { pause } from './parts/watch.ts';

const fleet = 8;
/** Of all daemons together. */
const eventsPerSecond = 20_000;
/** Numbers that one sender may use. */
const rangeEvents = 1_000_000;
const healMsMax = 120_000;
/** Sendings of requests that had failed, for each first sending. */
const againShareMax = 0.1;
const slotMs = 100;
/** Requests of the busiest slot, in means of all slots. */
const burstMax = 3;
/** A healthy daemon's oldest event: beyond its linger and a request, with the machine's own delays. */
const oldestMsMax = 1_000;

interface Member {
  readonly daemon: RunningDaemon;
  readonly sender: Sender;
}

/** By the end of a slot, in milliseconds since the endpoint's return: requests, scaled to a slot's length where it was longer. */
type Slots = readonly (readonly [endMs: number, requests: number])[];

await runLane('heal: a fleet finds its endpoint again after a minute', async (lane) => {
  const rig = await Rig.start(lane, lane.seed, { tls: true, keepBytes: 4 * 1024 ** 3 }, new NumberedEvents(bytes200));
  const members: Member[] = [];
  for (let i = 0; i < fleet; i++) members.push(await join(lane, rig, i));
  const start = await totals(members);
  await pause(lane.sized(60_000, 6_000));
  const before = await totals(members);
  await rig.simulator.faults({ refuse: true });
  await pause(lane.sized(60_000, 6_000));
  await rig.simulator.faults({});
  const backMs = Date.now();
  const counting = { ended: false };
  const counted = countRequests(rig, backMs, counting);
  const healed = until(
    () => Promise.all(members.map(({ daemon }) => daemon.status())),
    (statuses) => statuses.every(isWell),
    healMsMax + 60_000,
  );
  await healed;
  const healMs = Date.now() - backMs;
  const after = await totals(members);
  // The rate of health, to compare the return with.
  await pause(lane.sized(10_000, 2_000));
  counting.ended = true;
  const slots = await counted;
  lane.check(`well again within ${healMsMax / 1000} s`, healMs <= healMsMax, `${(healMs / 1000).toFixed(1)} s`);
  checkAgain(lane, start, before, after);
  checkBursts(lane, slots, healMs);
  await checkEvents(lane, rig, members);
});

async function join(lane: Lane, rig: Rig, index: number): Promise<Member> {
  const daemon = await rig.daemon('', '', { name: String(index) });
  const plan = { events: bytes200, from: index * rangeEvents, eventsPerSecond: eventsPerSecond / fleet };
  return { daemon, sender: await startSender(lane, { ...plan, path: daemon.socket, phase: 'all' }) };
}

function isWell({ ledger, backlog, streams, lanes }: Status): boolean {
  const closed = Object.values(streams).every(({ breaker }) => breaker === 'closed');
  return ledger.dlq === 0 && backlog.oldestMs < oldestMsMax && closed && lanes.every((row) => row.breaker === 'closed');
}

/** Requests with records in all, those of them that had failed before, and beside them the probes without records. */
interface Sendings {
  readonly sent: number;
  readonly again: number;
  readonly probes: number;
}

async function totals(members: readonly Member[]): Promise<Sendings> {
  let [sent, again, probes] = [0, 0, 0];
  for (const { daemon } of members) {
    const requests = (await daemon.status()).streams['orders']?.requests;
    sent += (requests?.answered ?? 0) + (requests?.failed ?? 0);
    again += requests?.again ?? 0;
    probes += requests?.probes ?? 0;
  }
  return { sent, again, probes };
}

/** What the endpoint gets, slot by slot, until it is told to end. */
async function countRequests(rig: Rig, backMs: number, counting: { readonly ended: boolean }): Promise<Slots> {
  const slots: [number, number][] = [];
  let [lastMs, last] = [backMs, (await rig.simulator.stats()).requests['PutRecords'] ?? 0];
  while (!counting.ended) {
    // Slots that are over already are counted with this one.
    await pause(slotMs - ((Date.now() - backMs) % slotMs));
    const requests = (await rig.simulator.stats()).requests['PutRecords'] ?? 0;
    const nowMs = Date.now();
    // Of two answers that come together after a late one, the second would make a rate out of nothing.
    if (nowMs - lastMs < slotMs / 2) continue;
    slots.push([nowMs - backMs, ((requests - last) * slotMs) / (nowMs - lastMs)]);
    [lastMs, last] = [nowMs, requests];
  }
  return slots;
}

/**
 * Over outage and healing. In the outage the breakers are open and nothing is sent, neither for the first time nor again: what is
 * asked then are probes without records. Beside it, the same with as long a time of health before.
 */
function checkAgain(lane: Lane, start: Sendings, before: Sendings, after: Sendings): void {
  const found = (from: Sendings): { share: number; text: string } => {
    const again = after.again - from.again;
    const first = after.sent - from.sent - again;
    return { share: again / first, text: `${again} of ${first}, ${((100 * again) / first).toFixed(2)} %` };
  };
  const { share, text } = found(before);
  lane.check(`sent again: at most ${100 * againShareMax} % of first sendings`, share <= againShareMax, text);
  lane.figure('the same with the health before', found(start).text);
  lane.figure('probes without records', after.probes - before.probes);
}

function checkBursts(lane: Lane, slots: Slots, healMs: number): void {
  const lengthMs = slots.at(-1)?.[0] ?? slotMs;
  const total = slots.reduce((sum, [atMs, count], i) => sum + (count * (atMs - (slots[i - 1]?.[0] ?? 0))) / slotMs, 0);
  const mean = (total * slotMs) / lengthMs;
  const [busiestMs, busiest] = slots.reduce((most, slot) => (slot[1] > most[1] ? slot : most), [0, 0] as const);
  lane.figure(`requests in ${slotMs} ms, mean`, mean);
  const found = `${(busiest / mean).toFixed(2)} times, ${busiest.toFixed(0)} at ${(busiestMs / 1000).toFixed(1)} s`;
  lane.check(`the busiest ${slotMs} ms: at most ${burstMax} times the mean`, busiest <= burstMax * mean, found);
  if (lane.svg === undefined) return;
  const points = slots.map(([endMs, count]) => [endMs / 1000, count] as const);
  const svg = lineChartSvg({
    title: `${fleet} daemons find their endpoint again`,
    xLabel: "seconds since the endpoint's return",
    yLabel: `requests in ${slotMs} ms`,
    series: [
      { name: 'PutRecords', points },
      { name: 'mean', points: points.map(([x]) => [x, mean] as const) },
    ],
    bands: [{ from: 0, to: healMs / 1000, label: 'healing' }],
  });
  writeFileSync(lane.svg, svg);
  lane.figure('drawn', lane.svg);
}

/** Ends the senders; every event is there as it was sent, and more than once only where an answer did not come. */
async function checkEvents(lane: Lane, rig: Rig, members: readonly Member[]): Promise<void> {
  const reports = await Promise.all(members.map(({ sender }) => sender.stop()));
  for (const [i, { daemon }] of members.entries()) {
    const { accepted = 0, refusedEvents = 0 } = reports[i] ?? {};
    const ledger = await until(() => daemon.ledger(), drained(accepted));
    checkBooks(lane, ledger, { accepted, refused: refusedEvents });
    lane.check('nothing was refused', refusedEvents === 0, refusedEvents);
  }
  const oracle = await rig.readBack(fleet * rangeEvents);
  const parts = reports.map(({ sent }, i) => oracle.counts(i * rangeEvents, i * rangeEvents + sent));
  const lost = parts.reduce((sum, part) => sum + part.lost, 0);
  const sent = reports.reduce((sum, report) => sum + report.sent, 0);
  const { events = 0, unansweredEvents = 0 } = (await rig.simulator.stats()).streams['orders'] ?? {};
  const copies = events - oracle.altered - (sent - lost);
  lane.figure('events sent', sent);
  lane.check('lost', lost === 0, lost);
  lane.check('altered', oracle.altered === 0, oracle.altered);
  lane.check('duplicated: only what was sent and not answered', copies <= unansweredEvents, `${copies} copies`);
  for (const { daemon } of members) lane.check('the daemon stops with 0', (await daemon.stop()) === 0);
}
