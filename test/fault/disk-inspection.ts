/**
 * What must be true of a disk that a life left, whatever happened to it: it opens, what was acknowledged is done or there, unaltered,
 * the books are right, and it goes on. Test processes only; for the tests of this folder.
 */
import { join } from 'node:path';
import { viewDirectory } from '../../src/dlq/directory.ts';
import { entry, heapMemory, Kind, type Memory } from '../../src/dlq/layout.ts';
import { Appended } from '../../src/dlq/series.ts';
import { walk } from '../../src/dlq/walk.ts';
import { RandomSequence } from '../../src/simulator/random-sequence.ts';
import { VirtualTime } from '../deliver/virtual-time.ts';
import { readSegment } from '../dlq/independent-reader.ts';
import type { Event, Queue } from '../dlq/queue.ts';
import { attempted, isDead, numberOf, type Story } from './disk-events.ts';
import { directory, hangMs, open, type Run, startMs } from './disk-queue.ts';
import { type Image, ModelDisk } from './model-disk.ts';

/** What this disk cannot show. */
export interface Expected {
  /** Nothing of what was written is missing: nothing is damaged. An entry of several writes may be cut off. */
  readonly isWhole?: boolean;
  /** Checkpoints were synced before they took their name. */
  readonly hasSafeCheckpoints: boolean;
}

/** Opens what is left on a healthy disk, and says what is wrong with it. */
export async function inspect(
  image: Image,
  story: Story,
  seed: number,
  expected: Expected,
): Promise<readonly string[]> {
  const time = new VirtualTime(startMs);
  const broken = [...story.broken];
  let isOver = false;
  const look = judge(image, seed, time, { ...story, broken }, expected)
    .catch((error: unknown) => broken.push(`it does not open: ${(error as Error).stack ?? String(error)}`))
    .finally(() => {
      isOver = true;
    });
  await time.pass(startMs + hangMs, () => isOver);
  if (isOver) await look;
  else broken.push('the opening hangs');
  return broken;
}

async function judge(image: Image, seed: number, time: VirtualTime, story: Story, expected: Expected): Promise<void> {
  const { broken } = story;
  const disk = new ModelDisk(image, new RandomSequence(seed));
  const fsync: Run['fsync'] = { kind: 'each' };
  const queue = await open(disk, { seed: seed + 1e6, fsync }, time);
  const holdings = queue.dlq.holdings(undefined);
  const spilled = (await queue.replay()).map((event) => numberOf(event, story));
  const { numbers: dead, damaged: damagedDead } = await deadLettersOn(disk, story);
  const there = new Set([...spilled, ...dead, ...setAsideOn(disk)]);
  const lost = [...story.acknowledged].filter((id) => !there.has(id) && !story.done.has(id));
  if (lost.length > 0) broken.push(`lost: ${lost.slice(0, 8).join(' ')}`);
  const damaged = queue.reported('damaged_events').reduce((sum, report) => sum + Number(report['events']), 0);
  if (holdings.spilled !== spilled.length + damaged) {
    broken.push(`it counted ${holdings.spilled} spills and gave ${spilled.length}`);
  }
  if (holdings.dead !== dead.length + damagedDead)
    broken.push(`it counted ${holdings.dead} dead letters of ${dead.length}`);
  checkReports(queue, expected, broken);
  // It goes on: what is appended now is there for the next one.
  queue.checkpoint();
  const last = story.next + (isDead(story.next) ? 1 : 0);
  if (queue.offer(attempted(last)) !== Appended.ok) broken.push('it takes nothing');
  if (!(await queue.dlq.close())) broken.push('it does not close');
  const isLeftover = (path: string): boolean => /\.tmp$|\/journal-[^/]*\.(seg|marks)$/.test(path);
  const leftovers = [...disk.afterKill().keys()].filter(isLeftover);
  if (leftovers.length > 0) broken.push(`left behind: ${leftovers.join(' ')}`);
  // As costly as all before, and it finds its mistakes on nearly every disk: on one in four.
  if (new RandomSequence(sizeOf(image)).below(4) > 0) return;
  const after = disk.afterPowerCut('nothing', new RandomSequence(1));
  const next = await open(new ModelDisk(after, new RandomSequence(1)), { seed: seed + 2e6, fsync }, time);
  const kept = (await next.replay()).map((event) => numberOf(event, { ...story, next: last + 1 }));
  if (kept.length !== 1 || kept[0] !== last) broken.push(`the next one finds ${kept.join(' ')} instead of ${last}`);
  await next.dlq.close();
}

function sizeOf(image: Image): number {
  return [...image.values()].reduce((sum, { length }) => sum + length, 0);
}

function checkReports(queue: Queue, { isWhole, hasSafeCheckpoints }: Expected, broken: string[]): void {
  const unwanted = isWhole === true ? ['damaged', 'set_aside'] : [];
  if (hasSafeCheckpoints) unwanted.push('checkpoint_damaged');
  for (const change of unwanted) {
    const [report] = queue.reported(change);
    if (report !== undefined) broken.push(`on a whole disk it reports: ${JSON.stringify(report)}`);
  }
}

/**
 * The dead letters, as the tools see them; damaged ones are those that nobody was promised, and that were cut off their power. What a
 * write has damaged that failed may stand whole in the next segment: then it is not damaged.
 */
async function deadLettersOn(disk: ModelDisk, story: Story): Promise<{ numbers: number[]; damaged: number }> {
  const numbers: number[] = [];
  const whole = new Set<number>();
  const damaged = new Set<number>();
  const image = disk.afterKill();
  const view = await viewDirectory(disk, directory, []);
  await walk({ ...view, segments: view.segments.filter(({ kind }) => kind === Kind.dead) }, {
    files: disk, directory, payloads: true, keys: undefined,
  }, {
    entry: (memory, at, stream, state) => {
      if (state === 'waiting') numbers.push(numberOf(eventAt(memory, at, stream), story));
      whole.add(entry.sequence(memory, at));
      return true;
    },
    damage: ({ name }, from, to, cause) => {
      if (cause === 'payload') damaged.add(sequenceIn(image.get(join(directory, name)), from, to));
    },
  }); // biome-ignore format: short
  return { numbers, damaged: [...damaged].filter((sequence) => !whole.has(sequence)).length };
}

/** Of the entry that stands at `from` of a segment. */
function sequenceIn(segment: Uint8Array | undefined, from: number, to: number): number {
  const memory = heapMemory(to - from);
  memory.buffer.set(segment?.subarray(from, to) ?? []);
  return entry.sequence(memory, 0);
}

function eventAt(memory: Memory, at: number, stream: string): Event {
  const { buffer } = memory;
  const key = entry.keyOffset(memory, at);
  const data = entry.dataOffset(memory, at);
  const hashKey = entry.hashKeyOffset(memory, at);
  return {
    stream: ['orders', 'clicks'].indexOf(stream),
    reason: entry.reason(memory, at),
    attempts: entry.attempts(memory, at),
    firstSeenUs: entry.firstSeenUs(memory, at),
    key: buffer.toString('utf8', key, data),
    hashKey: hashKey === 0 ? undefined : buffer.toString('hex', hashKey, hashKey + 16),
    data: buffer.toString('latin1', data, data + entry.dataLength(memory, at)),
  };
}

/** Numbers of the events in whole segments that were set aside: an operator finds them there. */
function setAsideOn(disk: ModelDisk): number[] {
  const numbers: number[] = [];
  for (const [path, bytes] of disk.afterKill()) {
    const name = path.slice(directory.length + 1);
    if (!/\.seg(\.[1-7])?\.quarantine$/.test(name)) continue;
    const read = readSegment(Buffer.from(bytes));
    for (const { data } of read?.entries ?? []) numbers.push(Number(data.split(':')[0]));
  }
  return numbers;
}
