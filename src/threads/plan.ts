/**
 * Where everything lies in the arena. Computed once on the main thread from the config; goes to the lanes as plain data.
 *
 * ```
 *   0         first page: never used, so that offset 0 can mean "none"
 *             counters of the main thread, of each lane; breaker states of each lane's streams
 *             landing zone: carry room, read area; keys for events without one; scratch for unescaped keys
 *             DLQ: write blocks, replay window
 *             per lane: ring control, ring entries, aggregates, request bodies
 * ```
 * All of it is the memory budget: pages are only taken from the system when they are first touched.
 */
import { assert } from '../base/assert.ts';
import { SpillwayError } from '../base/errors.ts';
import { aggregatePlaceBytes, md5ScratchBytes } from '../base/limits.ts';
import { laneBlockBytes, mainBlockBytes } from '../observe/counters.ts';
import { arenaBytesMax } from '../ring/arena.ts';
import { capacityMax, controlBytes, type RingPlace } from '../ring/layout.ts';

export interface Area {
  readonly offset: number;
  readonly length: number;
}

export interface StreamPlan {
  /** Where aggregates are built. */
  readonly aggregates: Area;
  /** One body per batch. */
  readonly bodies: readonly Area[];
}

export interface LanePlan {
  readonly ring: RingPlace;
  readonly counters: number;
  /** One 32-bit word per stream: the state of its breaker in this lane. */
  readonly breakers: number;
  /** Work space of the MD5 kernels. */
  readonly md5Scratch: number;
  readonly streams: readonly StreamPlan[];
}

export interface ArenaPlan {
  readonly length: number;
  readonly mainCounters: number;
  readonly landing: Area & { readonly readStart: number };
  readonly randomKeys: Area;
  readonly keyScratch: Area;
  readonly dlqBlocks: Area & { readonly count: number };
  readonly replayWindow: Area;
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
const dlqBlockBytes = 1024 * 1024;
const dlqBlockCount = 8;
/**
 * Open aggregates per stream and lane; a stream with more shards closes the oldest early. Streams share the most that they may
 * take, down to a group whose MD5 is pending and as many again that are open.
 */
const openAggregates = 64;
const aggregateAreaMax = 32 * 1024 * 1024;
const openAggregatesLeast = 16;
const ringMin = 1024 * 1024;

export function planArena(input: PlanInput): ArenaPlan {
  const place = new Placer();
  const recordMax = Math.max(...input.streams.map((stream) => stream.recordBytesMax));
  const streams = input.streams.length;
  const mainCounters = place.take(mainBlockBytes(streams + 1));
  const carryBytes = recordMax + 64 * 1024;
  const carry = place.take(carryBytes);
  const readStart = place.take(readBytes);
  assert(readStart === carry + align(carryBytes), 'the carry room lies directly before the read area');
  const randomKeys = place.area(randomKeyCount * randomKeyBytes);
  const keyScratch = place.area(keyScratchBytes);
  const dlqBlocks = { ...place.area(dlqBlockBytes * dlqBlockCount), count: dlqBlockCount };
  const replayWindow = place.area(Math.max(4 * 1024 * 1024, 2 * recordMax));
  const shared = place.end;
  const perLane = input.streams.reduce(
    (sum, stream) =>
      sum + aggregateArea(stream.aggregateBytes, streams) + (stream.requestsInFlight + 1) * align(stream.bodyBytes),
    controlBytes + laneBlockBytes(streams) + md5ScratchBytes + 4096,
  );
  const ringBytes = powerOfTwoBelow(Math.min(capacityMax, (input.memoryBudgetBytes - shared) / input.lanes - perLane));
  const ringLeast = Math.max(ringMin, powerOfTwoBelow(8 * recordMax));
  if (ringBytes < ringLeast) {
    const needed = shared + input.lanes * (perLane + ringLeast);
    throw new SpillwayError(
      'config',
      `daemon.memory_budget of ${input.memoryBudgetBytes} bytes is too small for ${input.lanes} lanes and these streams: ` +
        `at least ${needed} bytes are needed; raise it, or lower daemon.lanes, stream.batch_bytes or stream.requests_in_flight`,
    );
  }
  const lanes: LanePlan[] = [];
  for (let lane = 0; lane < input.lanes; lane++) {
    const controlOffset = place.take(controlBytes);
    const counters = place.take(laneBlockBytes(streams));
    const breakers = place.take(streams * 4);
    const md5Scratch = place.take(md5ScratchBytes);
    const entriesOffset = place.take(ringBytes);
    lanes.push({
      ring: { controlOffset, entriesOffset, capacity: ringBytes },
      counters,
      breakers,
      md5Scratch,
      streams: input.streams.map((stream) => ({
        aggregates: place.area(aggregateArea(stream.aggregateBytes, streams)),
        bodies: Array.from({ length: stream.requestsInFlight + 1 }, () => place.area(stream.bodyBytes)),
      })),
    });
  }
  assert(place.end <= arenaBytesMax, 'the arena is addressable');
  const landing = { offset: carry, readStart, length: readStart + readBytes - carry };
  return { length: place.end, mainCounters, landing, randomKeys, keyScratch, dlqBlocks, replayWindow, lanes };
}

function aggregateArea(aggregateBytes: number, streams: number): number {
  const one = aggregatePlaceBytes(aggregateBytes);
  const affordable = Math.floor(aggregateAreaMax / streams / one);
  return align(one * Math.max(openAggregatesLeast, Math.min(openAggregates, affordable)));
}

function powerOfTwoBelow(bytes: number): number {
  return bytes < 1 ? 0 : 2 ** Math.floor(Math.log2(bytes));
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
