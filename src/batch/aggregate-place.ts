/**
 * How much of the arena one open aggregate needs. Both threads: the plan of the arena sums it, the aggregator cuts its area by
 * it. Apart from the codec, which the main thread never loads.
 */

/** Arena bytes for an aggregate of at most `bytesMax`: half for the key table, the rest for records and the room before them. */
export function aggregatePlaceBytes(bytesMax: number): number {
  return 2 * bytesMax + 64;
}
