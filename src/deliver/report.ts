/** What a lane tells the main thread about its streams, beside counters and marks in shared memory. Types only; plain data. */
export type LaneReport =
  /** These ring entries are marked `setAside` and must move to the DLQ. */
  | { readonly type: 'set_aside'; readonly offsets: Uint32Array }
  /** A stream's breaker moved; states are those of breaker/breaker.ts. */
  | {
      readonly type: 'breaker';
      readonly stream: number;
      readonly from: number;
      readonly to: number;
      readonly cause: string;
    }
  /** By stream: the position before which everything is given back. Only while the main thread wants it (ring/wanted.ts). */
  | { readonly type: 'given_back'; readonly tails: Int32Array }
  /** Where Kinesis has entries that are flagged `flagReceipt`; sent before a `given_back` tells of them. */
  | { readonly type: 'receipts'; readonly records: readonly RecordReceipt[] }
  | { readonly type: 'request_failed'; readonly stream: number; readonly code: string; readonly message: string }
  /** All that the stream's ring held is delivered, or was reported as set aside before this message. */
  | { readonly type: 'parked'; readonly stream: number }
  /** What is known of the stream changed; see {@link DeliveryContext.surveyed}. */
  | {
      readonly type: 'survey';
      readonly stream: number;
      readonly cause: string;
      readonly shards: number;
      readonly placesByKey: boolean | undefined;
      readonly recordBytesMax: number | undefined;
    };

/** One record in Kinesis, and those of its events for which a sender asked. */
export interface RecordReceipt {
  readonly stream: number;
  readonly shardId: string;
  readonly sequenceNumber: string;
  /** Positions behind the events' entries in the ring. */
  readonly positions: Int32Array;
  /** The events' places in the record, from 0, as consumers number what they unpack. */
  readonly subSequences: Uint32Array;
}
