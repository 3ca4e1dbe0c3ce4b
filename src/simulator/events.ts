/**
 * The user events of a stream as lines of JSON, in order of arrival: what a consumer built on the KCL would have been given.
 * Read at the time of asking from the kept records. Used by admin.ts.
 */
import { unpackAsConsumer } from './consumer.ts';
import type { KeptRecord } from './shard.ts';
import type { Stream } from './stream.ts';

/** One line of `GET /_sim/events`. */
export interface UserEvent {
  /** Counts the stream's user events from 1. */
  readonly n: number;
  readonly shardId: string;
  readonly sequenceNumber: string;
  /** Place within an aggregate, from 0; 0 for a plain record. */
  readonly subSequence: number;
  readonly partitionKey: string;
  readonly explicitHashKey?: string;
  /** Base64. */
  readonly data: string;
  readonly arrivalMs: number;
}

/** Characters of text after which a piece is handed on. */
const pieceLength = 65_536;

/** Pieces of text, whole lines each: at most `limit` events with a number above `after`. */
export function* eventLines(stream: Stream, after: number, limit: number): Generator<string> {
  let reached = after;
  let left = limit;
  let text = '';
  while (left > 0) {
    // Records may be evicted or added between two pieces: each is looked up anew by number.
    const index = stream.kept.search((record) => record.n + record.events - 1 > reached);
    const record = stream.kept.at(index);
    if (record === undefined) break;
    for (const event of userEvents(record)) {
      if (event.n <= reached || left === 0) continue;
      text += `${JSON.stringify(event)}\n`;
      left--;
      reached = event.n;
    }
    if (text.length >= pieceLength) {
      yield text;
      text = '';
    }
  }
  if (text !== '') yield text;
}

function userEvents(record: KeptRecord): UserEvent[] {
  const { shard, n, counter, partitionKey, explicitHashKey, data, arrivalMs } = record;
  // Dropped as it was taken: for what it holds, or because its stream was under AUTO then.
  if (record.events === 0) return [];
  const { events } = unpackAsConsumer(data, partitionKey, explicitHashKey, shard.startingHash, shard.endingHash);
  return events.map((event, subSequence) => ({
    n: n + subSequence,
    shardId: shard.id,
    sequenceNumber: shard.sequenceNumber(counter),
    subSequence,
    partitionKey: event.partitionKey,
    ...(event.explicitHashKey === undefined ? {} : { explicitHashKey: event.explicitHashKey }),
    data: event.data.toString('base64'),
    arrivalMs,
  }));
}
