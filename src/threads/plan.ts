/**
 * Where everything lies in the arena. Computed once on the main thread from the config; goes to the lanes as plain data.
 *
 * ```
 *   0         first page: never used, so that offset 0 can mean "none"
 *             counters of the main thread, of each lane; breaker states of each lane's streams; what the main thread wants to hear
 *             landing zone: carry room, read area; keys for events without one; scratch for unescaped keys
 *             DLQ: write blocks, replay window; journal: write blocks
 *             per lane and stream: ring control, ring entries, aggregates, request bodies
 * ```
 * All of it is the memory budget: pages are only taken from the system when they are first touched.
 */
import { assert } from '../base/assert.ts';
import { aggregatePlaceBytes, md5ScratchBytes } from '../base/limits.ts';
import { laneBlockBytes, mainBlockBytes } from '../observe/counters.ts';
import { arenaBytesMax } from '../ring/arena.ts';
import { capacityMax, controlBytes, type RingPlace } from '../ring/layout.ts';

export interface Area {
  readonly offset: number;
  readonly length: number;
}

/** `count` areas of `length` bytes, one after the other. */
export interface Areas extends Area {
  readonly count: number;
}

export interface StreamPlan {
  readonly ring: RingPlace;
  /** Where aggregates are built. */
  readonly aggregates: Area;
  /** One body per batch. */
  readonly bodies: readonly Area[];
}

export interface LanePlan {
  readonly counters: number;
  /** One 32-bit word per stream: the state of its breaker in this lane. */
  readonly breakers: number;
  /** One 32-bit word for all lanes: what the main thread wants to hear, `Wanted`. */
  readonly wanted: number;
  /** Work space of the MD5 kernels. */
  readonly md5Scratch: number;
  readonly streams: readonly StreamPlan[];
}

export interface ArenaPlan {
  readonly length: number;
  readonly mainCounters: number;
  readonly wanted: number;
  readonly landing: Area & { readonly readStart: number };
  readonly randomKeys: Area;
  readonly keyScratch: Area;
  readonly dlqBlocks: Areas;
  readonly journalBlocks: Areas;
  readonly replayWindows: Areas;
  readonly lanes: readonly LanePlan[];
}

/** What the plan depends on. */
export interface PlanInput {
  readonly memoryBudgetBytes: number;
  readonly lanes: number;
  readonly streams: readonly {
    readonly aggregateBytes: number;
    readonly recordBytesMax: number;
    /** Body bytes of the largest request, as the stream's wire format writes it. */
    readonly bodyBytes: number;
    readonly requestsInFlight: number;
  }[];
}

/** Read area: what one read(2) can bring; a unix socket's default buffer holds less. */
const readBytes = 256 * 1024;
export const randomKeyCount = 4_096;
export const randomKeyBytes = 16;
const keyScratchBytes = 8 * 1024;
/**
 * Write blocks of the DLQ, all together and each: every stream that spills fills one while others are written, so there are two
 * for each stream where a block of the least length allows it. Together they take the largest event.
 */
const dlqBlocksBytes = 7 * 1024 * 1024;
const dlqBlockBytesMax = 1024 * 1024;
const dlqBlockBytesLeast = 16 * 1024;
/**
 * Write blocks of the journal, all together and each: what senders of ack level `disk` may bring while one fdatasync runs. They are
 * its own, so that a disk that stalls holds up nobody else. Together with the DLQ's they leave two lanes their rings of 32 MiB in
 * the budget that is the default.
 */
const journalBlocksBytes = 1792 * 1024;
const journalBlockBytes = 128 * 1024;
/** Windows through which spills are read back, all together; each holds the largest entry. More of them than this are no faster. */
const replayWindowsBytes = 4 * 1024 * 1024;
const replayWindowsMax = 4;
/** What an entry of the DLQ has beside its event, with some room: header, stream name, hash key. */
const dlqEntryRoomBytes = 4096;
/**
 * Open aggregates per stream and lane; a stream with more shards closes the oldest early. Streams share the most that they may
 * take, down to a group whose MD5 is pending and two that are open.
 */
const openAggregates = 64;
const aggregateAreaMax = 32 * 1024 * 1024;
const openAggregatesLeast = 10;
const ringMin = 1024 * 1024;
/** A ring must take several of the largest events beside ordinary traffic, or one of them would open its breaker. */
const ringRecordsLeast = 4;

/** How a budget is spent, before anything is placed. */
export interface ArenaSizes {
  /** Of each stream in each lane; a power of two. 0: the budget is too small. */
  readonly ringBytes: number;
  /** The smallest budget that works for these lanes and streams. */
  readonly budgetBytesLeast: number;
}

/** What {@link planArena} will make of the budget. */
export function arenaSizes(input: PlanInput): ArenaSizes {
  return sizesBeside(placeShared(input).place.end, input);
}

/** Throws when the budget is too small, which the check of the configuration has ruled out. */
export function planArena(input: PlanInput): ArenaPlan {
  const { place, ...shared } = placeShared(input);
  const { ringBytes } = sizesBeside(place.end, input);
  assert(ringBytes > 0, 'the memory budget is enough for the lanes and streams');
  const streams = input.streams.length;
  const lanes: LanePlan[] = [];
  for (let lane = 0; lane < input.lanes; lane++) {
    const controls = place.take(streams * controlBytes);
    const counters = place.take(laneBlockBytes(streams));
    const breakers = place.take(streams * 4);
    const md5Scratch = place.take(md5ScratchBytes);
    lanes.push({
      counters,
      breakers,
      wanted: shared.wanted,
      md5Scratch,
      streams: input.streams.map((stream, i) => ({
        ring: {
          controlOffset: controls + i * controlBytes,
          bellOffset: controls,
          entriesOffset: place.take(ringBytes),
          capacity: ringBytes,
        },
        aggregates: place.area(aggregateArea(stream.aggregateBytes, streams)),
        bodies: Array.from({ length: stream.requestsInFlight + 1 }, () => place.area(stream.bodyBytes)),
      })),
    });
  }
  assert(place.end <= arenaBytesMax, 'the arena is addressable');
  return { length: place.end, ...shared, lanes };
}

/** Places what the process has once. */
function placeShared(input: PlanInput) {
  const place = new Placer();
  const recordMax = Math.max(...input.streams.map((stream) => stream.recordBytesMax));
  const mainCounters = place.take(mainBlockBytes(input.streams.length + 1));
  const wanted = place.take(4);
  const carryBytes = recordMax + 64 * 1024;
  const carry = place.take(carryBytes);
  const readStart = place.take(readBytes);
  assert(readStart === carry + align(carryBytes), 'the carry room lies directly before the read area');
  const randomKeys = place.area(randomKeyCount * randomKeyBytes);
  const keyScratch = place.area(keyScratchBytes);
  const dlqBlocks = areas(place, dlqBlockSizes(input.streams.length, recordMax));
  const journalBlocks = areas(place, journalBlockSizes(recordMax));
  const replayWindows = areas(place, replayWindowSizes(recordMax));
  const landing = { offset: carry, readStart, length: readStart + readBytes - carry };
  return { place, mainCounters, wanted, landing, randomKeys, keyScratch, dlqBlocks, journalBlocks, replayWindows };
}

interface Sizes {
  readonly length: number;
  readonly count: number;
}

function areas(place: Placer, { length, count }: Sizes): Areas {
  return { offset: place.take(length * count), length, count };
}

function dlqBlockSizes(streams: number, recordMax: number): Sizes {
  const share = powerOfTwoBelow(dlqBlocksBytes / (2 * (streams + 1)));
  const length = Math.max(dlqBlockBytesLeast, Math.min(dlqBlockBytesMax, share));
  return { length, count: Math.ceil(Math.max(dlqBlocksBytes, recordMax + dlqEntryRoomBytes) / length) };
}

function journalBlockSizes(recordMax: number): Sizes {
  const bytes = Math.max(journalBlocksBytes, recordMax + dlqEntryRoomBytes);
  return { length: journalBlockBytes, count: Math.ceil(bytes / journalBlockBytes) };
}

function replayWindowSizes(recordMax: number): Sizes {
  const length = align(Math.max(replayWindowsBytes / replayWindowsMax, recordMax + dlqEntryRoomBytes));
  return { length, count: Math.max(1, Math.min(replayWindowsMax, Math.floor(replayWindowsBytes / length))) };
}

/** What remains for rings beside `sharedBytes` and the lanes' work space. */
function sizesBeside(sharedBytes: number, { streams, lanes, memoryBudgetBytes }: PlanInput): ArenaSizes {
  const perLane = streams.reduce(
    (sum, { aggregateBytes, requestsInFlight, bodyBytes }) =>
      sum + aggregateArea(aggregateBytes, streams.length) + (requestsInFlight + 1) * align(bodyBytes),
    streams.length * controlBytes + laneBlockBytes(streams.length) + md5ScratchBytes + 4096,
  );
  const perRing = ((memoryBudgetBytes - sharedBytes) / lanes - perLane) / streams.length;
  const ringBytes = powerOfTwoBelow(Math.min(capacityMax, perRing));
  const recordMax = Math.max(...streams.map((stream) => stream.recordBytesMax));
  const ringLeast = Math.max(ringMin, powerOfTwoAbove(ringRecordsLeast * recordMax));
  return {
    ringBytes: ringBytes < ringLeast ? 0 : ringBytes,
    budgetBytesLeast: sharedBytes + lanes * (perLane + streams.length * ringLeast),
  };
}

function aggregateArea(aggregateBytes: number, streams: number): number {
  const one = aggregatePlaceBytes(aggregateBytes);
  const affordable = Math.floor(aggregateAreaMax / streams / one);
  return align(one * Math.max(openAggregatesLeast, Math.min(openAggregates, affordable)));
}

function powerOfTwoBelow(bytes: number): number {
  return bytes < 1 ? 0 : 2 ** Math.floor(Math.log2(bytes));
}

function powerOfTwoAbove(bytes: number): number {
  return 2 ** Math.ceil(Math.log2(bytes));
}

/** Everything starts on a cache-line pair of its own. */
function align(bytes: number): number {
  return (bytes + 127) & -128;
}

class Placer {
  end = 65_536;

  take(bytes: number): number {
    const start = this.end;
    this.end += align(bytes);
    return start;
  }

  area(bytes: number): Area {
    return { offset: this.take(bytes), length: bytes };
  }
}
