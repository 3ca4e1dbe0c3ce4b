/**
 * The shards of a simulated stream, as Kinesis meters them: each takes 1 MB and 1,000 records a second, and after a rest a
 * second's worth at once; a record that does not fit is refused whole. For the limiter's simulation alone; virtual time.
 */
import { shardBytesPerSecond, shardRecordsPerSecond } from '../../../src/base/limits.ts';

export const shardLimits = { bytesPerSecond: shardBytesPerSecond, recordsPerSecond: shardRecordsPerSecond };
const { bytesPerSecond, recordsPerSecond } = shardLimits;

export class Service {
  readonly #bytes: Float64Array;
  readonly #records: Float64Array;
  readonly #refilledMs: Float64Array;

  constructor(shards: number) {
    this.#bytes = new Float64Array(shards).fill(bytesPerSecond);
    this.#records = new Float64Array(shards).fill(recordsPerSecond);
    this.#refilledMs = new Float64Array(shards);
  }

  /** Whether the shard takes a record of so many bytes now. */
  take(shard: number, bytes: number, nowMs: number): boolean {
    const seconds = (nowMs - (this.#refilledMs[shard] as number)) / 1_000;
    this.#refilledMs[shard] = nowMs;
    const hasBytes = Math.min(bytesPerSecond, (this.#bytes[shard] as number) + seconds * bytesPerSecond);
    const hasRecords = Math.min(recordsPerSecond, (this.#records[shard] as number) + seconds * recordsPerSecond);
    const takes = hasBytes >= Math.min(bytes, bytesPerSecond) && hasRecords >= 1;
    this.#bytes[shard] = takes ? hasBytes - bytes : hasBytes;
    this.#records[shard] = takes ? hasRecords - 1 : hasRecords;
    return takes;
  }
}
