/**
 * How much of each shard one lane may use, learnt from what Kinesis takes and refuses. Lane worker; pure: time and randomness are
 * given. The delivery asks it before it opens a record for a shard; nothing is allocated, and no call costs more for more shards.
 *
 * A shard takes 1 MB and 1,000 records a second, from all of its senders together. This lane holds a *share* of that, from the
 * whole (where it starts: a lane alone has all at once) down to {@link shareMin}, and a token bucket for each budget, which fills
 * at that share and holds a second's worth. A record may be begun while neither is overdrawn, and may overdraw both: a record of
 * many seconds' worth goes as well, and is paid off afterwards. Lanes know nothing of each other:
 *
 * ```
 *   share 1 ┐ not yet refused              refused:  - cut, a random 6 to 18 % of the share, so that lanes do not move together,
 *           └┐                                       and more, the more was refused lately and the larger the share is;
 *            └┐   ┌┐    ┌──┐   ╱ calm                small shares seldomer
 *   fair ─────┴───┘└────┘  └──╱            taken:    + step, while the limiter holds records back
 *                                          calm:     after 60 records and 6 s without a cut, or 60 s: faster by t^3
 * ```
 * Why so: growing by `step` for each record taken and shrinking by `cut` of itself for each refused, a share rests where
 * refused / taken = step / (cut x share). That is 1 % for 50 lanes (the least that leaves anything to learn from), whatever their
 * round trips and the size of their records: who has more than others is refused more than he grows. TCP's growth by round trips
 * would favour the near, its halving cost a quarter of the shard. After calm, growth is the same for everybody, which evens
 * shares out, and goes by a power of time as CUBIC's does: what others leave is found in a minute. Large shares fall fast, so
 * that a newcomer at the whole rate makes room in a second or so; small ones are cut about twice a second at most meanwhile, or
 * ten newcomers would leave nothing of them.
 *
 * Measured in virtual time (`npm run test:long -- limiter --scale 0.1 --seed 1`): 10 shards as two buckets each, demand without
 * end, round trips of 5-80 ms; 5 minutes after a minute's warm-up. Fair: Jain's index of the worst shard.
 *
 * | lanes | records | used | refused | fair |          | change | |
 * |---|---|---|---|---|                                  |---|---|
 * | 1 | 1 KB | 100 % | 0 | |                             | 25 lanes join 25 | even after 15 s, 11 % refused in that minute |
 * | 2 | 1 KB | 99.9 % | 0.1 % | 0.97 |                   | 5 of 50 stay | use 90 % of the shards after 35 s |
 * | 10 | 1 KB | 100 % | 0.3 % | 0.98 |                   | 1 of 50 stays | the same after 50 s |
 * | 50 | 1 KB | 100 % | 1.1 % | 0.98 |                   | 50 want 95 % | nothing refused, nothing waits |
 * | 50 | 300 B | 100 % | 1.0 % | 0.98 |
 * | 200 | 1 KB | 100 % | 4.5 % | 0.97 |
 * | 50 | 5 KB | 100 % | 3.0 % | 0.90 |
 * | 50 | 256 KB | 98 % | 28 % | 0.74 |
 *
 * The last rows: a lane of few, large records has few outcomes to learn from. An aggregate should not hold more than a fraction
 * of a second of the lane's part ({@link ShardLimiter.share}).
 */
import { assert } from '../base/assert.ts';
import type { Random } from '../edges/random.ts';

export interface LimiterOptions {
  /** What a shard takes from all senders together. Data and partition keys. */
  readonly bytesPerSecond: number;
  readonly recordsPerSecond: number;
}

/** Least share: 500 bytes and half a record a second. Below, a lane would learn too seldom that there is room again. */
const shareMin = 0.0005;
/** Seconds' worth that a bucket holds: what a shard takes at once after a rest. */
const burstSeconds = 1;
/** Seconds' worth that it holds at first: a newcomer that meets a full shard has that much refused, beside a round trip's. */
const firstSeconds = 0.1;
/** Added to the share with each record taken. With {@link cutMean} it decides how much is refused at rest. */
const step = 0.000_025;
/** Mean part of the share that a refusal takes away; each takes between half of it and one and a half. */
const cutMean = 0.12;
/** Most of the share that it takes away beside that: nearly so much of a whole shard when all was refused lately. */
const deepMost = 0.7;
/** The share at which half of {@link deepMost} applies. */
const deepShare = 0.2;
/** How much one outcome weighs in the average of what was refused lately. */
const lossWeight = 1 / 16;
/** Between two cuts of the smallest shares; of a share of {@link apartShare} half as long, of the whole shard 20 ms. */
const apartMsMost = 1_000;
const apartShare = 0.02;
/** So many records taken and so long without a cut is calm; or {@link calmMsMost} alone, where records are few. */
const calmRecords = 60;
const calmMs = 6_000;
const calmMsMost = 60_000;
/** Growth of the share a second, after a second of calm; goes by the third power of that time: a whole shard in 45 s. */
const calmGrowth = 0.000_001;
/** A share grows only when the limiter held a record back so lately: one that is not used says nothing of the shard. */
const limitedMs = 1_000;
/** Most that counts as calm between two records taken: a large record's debt, but not a night without demand. */
const passedMsMost = 15_000;

/** Fields of a shard's row in the table of numbers. One row is two cache lines. */
const share = 0;
const bytes = 1;
const records = 2;
const refilledMs = 3;
/** When a record was held back last. */
const heldMs = 4;
const cutMs = 5;
const takenMs = 6;
/** Records taken, and the time that passed between them, since the last cut, while records were held back. */
const calmTaken = 7;
const calmPassedMs = 8;
/** Part refused of what went lately. */
const loss = 9;
const rowLength = 16;

export class ShardLimiter {
  readonly #options: LimiterOptions;
  readonly #random: Random;
  #shardIds: readonly string[] = [];
  #table = new Float64Array(0);

  constructor(options: LimiterOptions, random: Random) {
    assert(options.bytesPerSecond > 0 && options.recordsPerSecond > 0, 'a shard takes something');
    this.#options = options;
    this.#random = random;
  }

  /**
   * The shards are these from now on; a shard is its index here. Keeps what is known of shards that were there before. Outcomes
   * of records that were charged by the indices of before must be told no more.
   */
  reshape(shardIds: readonly string[], nowMs: number): void {
    const rows = new Map(this.#shardIds.map((id, shard) => [id, shard * rowLength]));
    const table = new Float64Array(shardIds.length * rowLength);
    for (const [shard, id] of shardIds.entries()) {
      const row = shard * rowLength;
      const known = rows.get(id);
      if (known !== undefined) {
        table.set(this.#table.subarray(known, known + rowLength), row);
        continue;
      }
      table[row + share] = 1;
      table[row + bytes] = firstSeconds * this.#options.bytesPerSecond;
      table[row + records] = firstSeconds * this.#options.recordsPerSecond;
      table[row + refilledMs] = nowMs;
      table[row + takenMs] = nowMs;
      table[row + heldMs] = Number.NEGATIVE_INFINITY;
      table[row + cutMs] = nowMs - apartMsMost;
    }
    this.#shardIds = shardIds;
    this.#table = table;
  }

  /** This lane's part of the shard, (0, 1]: for reports, and for the size of aggregates. */
  share(shard: number): number {
    return this.#get(this.#row(shard) + share);
  }

  /** Whether a record may be begun for the shard now. A no counts as demand: it lets the share grow. */
  mayOpen(shard: number, nowMs: number): boolean {
    const row = this.#row(shard);
    this.#refill(row, nowMs);
    if (this.#get(row + bytes) >= 0 && this.#get(row + records) >= 0) return true;
    this.#table[row + heldMs] = nowMs;
    return false;
  }

  /** When {@link mayOpen} says yes at the earliest, in whole milliseconds from now; `nowMs` when it does already. */
  nextOpenMs(shard: number, nowMs: number): number {
    const row = this.#row(shard);
    this.#refill(row, nowMs);
    const { bytesPerSecond, recordsPerSecond } = this.#options;
    const behind = Math.min(0, this.#get(row + bytes) / bytesPerSecond, this.#get(row + records) / recordsPerSecond);
    return nowMs + Math.ceil((-behind / this.#get(row + share)) * 1_000);
  }

  /** A record of so many bytes (data and partition key) goes out: the first time or again. */
  charge(shard: number, recordBytes: number, nowMs: number): void {
    assert(recordBytes >= 0, 'a record has a size');
    const row = this.#row(shard);
    this.#refill(row, nowMs);
    this.#table[row + bytes] = this.#get(row + bytes) - recordBytes;
    this.#table[row + records] = this.#get(row + records) - 1;
  }

  /** Kinesis took a record. */
  taken(shard: number, nowMs: number): void {
    const table = this.#table;
    const row = this.#row(shard);
    table[row + loss] = this.#get(row + loss) * (1 - lossWeight);
    const passedMs = Math.min(passedMsMost, Math.max(0, nowMs - this.#get(row + takenMs)));
    table[row + takenMs] = nowMs;
    if (nowMs - this.#get(row + heldMs) > limitedMs) return;
    this.#refill(row, nowMs);
    const taken = this.#get(row + calmTaken) + 1;
    const calmedMs = this.#get(row + calmPassedMs) + passedMs;
    table[row + calmTaken] = taken;
    table[row + calmPassedMs] = calmedMs;
    const calmSeconds = Math.max(0, calmedMs - (taken >= calmRecords ? calmMs : calmMsMost)) / 1_000;
    const grown = (calmGrowth * calmSeconds ** 3 * passedMs) / 1_000;
    table[row + share] = Math.min(1, this.#get(row + share) + Math.max(step, grown));
  }

  /**
   * Kinesis refused a record that went out at `chargedMs` for the shard's throughput. Records that went before the last cut say
   * nothing new: a request has many refused at once, and several requests are under way.
   */
  throttled(shard: number, chargedMs: number, nowMs: number): void {
    const row = this.#row(shard);
    const had = this.#get(row + share);
    const lost = this.#get(row + loss) * (1 - lossWeight) + lossWeight;
    this.#table[row + loss] = lost;
    const lastMs = this.#get(row + cutMs);
    if (chargedMs <= lastMs || nowMs - lastMs < (apartMsMost * apartShare) / (apartShare + had)) return;
    this.#refill(row, nowMs);
    const cut = cutMean * (0.5 + this.#random.share()) + (deepMost * lost * had) / (deepShare + had);
    this.#table[row + share] = Math.max(shareMin, had * (1 - cut));
    this.#table[row + cutMs] = nowMs;
    this.#table[row + calmTaken] = 0;
    this.#table[row + calmPassedMs] = 0;
  }

  /** Brings both buckets to now, at the share that held since they were last. */
  #refill(row: number, nowMs: number): void {
    const seconds = (nowMs - this.#get(row + refilledMs)) / 1_000;
    if (seconds <= 0) return;
    this.#table[row + refilledMs] = nowMs;
    const bytesPerSecond = this.#get(row + share) * this.#options.bytesPerSecond;
    const recordsPerSecond = this.#get(row + share) * this.#options.recordsPerSecond;
    this.#table[row + bytes] = Math.min(
      burstSeconds * bytesPerSecond,
      this.#get(row + bytes) + seconds * bytesPerSecond,
    );
    this.#table[row + records] = Math.min(
      burstSeconds * recordsPerSecond,
      this.#get(row + records) + seconds * recordsPerSecond,
    );
  }

  #row(shard: number): number {
    assert(shard >= 0 && shard < this.#shardIds.length, 'the shard is one of the map');
    return shard * rowLength;
  }

  #get(at: number): number {
    return this.#table[at] as number;
  }
}
