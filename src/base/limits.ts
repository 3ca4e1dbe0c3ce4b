/**
 * Every fixed limit, in one place: what it bounds, what it costs, what breaks if it grows. Any thread; imports nothing.
 *
 * Limits that an operator may choose are options (daemon/options.ts); their least and most refer to the numbers here. The
 * relations between them are asserted in test/base/limits.test.ts, the memory is summed in threads/plan.ts.
 */

const KiB = 1024;
const MiB = 1024 * KiB;

/**
 * Records in one PutRecords request: Kinesis' own limit (API reference of PutRecords).
 * More: Kinesis refuses the whole request.
 */
export const requestRecordsMax = 500;

/**
 * Bytes of one PutRecords request, counted as Kinesis counts: data before base64 plus partition keys.
 * Costs {@link base64Expansion} times as much memory for each request in flight. More: Kinesis refuses the whole request.
 */
export const requestBytesMax = 10 * MiB;

/** Characters (not bytes) of a partition key: Kinesis' own limit. More: Kinesis refuses the record. */
export const partitionKeyCharsMax = 256;

/** UTF-8 bytes of the longest partition key: a code point takes at most four. Bounds the key's room in a ring entry. */
export const partitionKeyBytesMax = 4 * partitionKeyCharsMax;

/**
 * What one shard takes a second from all of its senders together: bytes of data and partition keys, and records; Kinesis' own
 * limits. More: it refuses records with ProvisionedThroughputExceededException.
 */
export const shardBytesPerSecond = 1_000_000;
export const shardRecordsPerSecond = 1_000;

/**
 * Bytes of data and partition key of one event where nothing else is configured: what a stream takes unless its
 * MaxRecordSizeInKiB was raised. More, without raising the stream's limit: each such event becomes a dead letter.
 */
export const eventBytesDefault = 1 * MiB;

/** Most that {@link eventBytesDefault} can be raised to: Kinesis' largest record. A ring must hold several of them. */
export const eventBytesMax = 10 * MiB;

/**
 * Bytes of one KPL aggregate. An aggregate is one record, so the stream's record limit bounds it too; a larger one saves
 * nothing (its fixed cost is 20 bytes) and makes a single failed record dearer to repeat.
 */
export const aggregateBytesMax = 1 * MiB;

/** How much longer a request's data is in its JSON body: base64. */
export const base64Expansion = 4 / 3;

/**
 * Bytes of one record in a JSON body beside its data: a key of control characters (six bytes each when escaped), a hash key of
 * 39 digits, names, quotes and padding. Memory of request bodies is planned with it.
 */
export const recordEnvelopeBytesMax = 6 * partitionKeyCharsMax + 128;

/**
 * Lane workers. Each costs its ring, an SDK client and about 30 MiB of V8 heap; more lanes than cores only add switching.
 */
export const lanesMax = 64;

/**
 * Streams of one daemon. Each costs a breaker and batches in every lane, and a set of log lines per interval.
 */
export const streamsMax = 256;

/** Listeners of one daemon. Each costs a socket and, for its connections, the memory of `connections_max`. */
export const listenersMax = 64;

/** Alerts that a configuration may add or change. Each is stepped four times a second, for each stream where it says so. */
export const alertsMax = 100;

/**
 * Bytes of a unix socket's path: `sun_path` of unix(7) has 108, one of them for the closing zero. More: the kernel would bind a
 * cut-off path or refuse.
 */
export const unixPathBytesMax = 107;

/**
 * Bytes of one request of each of a lane's streams, all together, where there are several: bounds the memory of request bodies,
 * of which each stream has as many as requests in flight and one more. A stream alone may have its requests larger.
 */
export const laneBatchBytes = 8 * MiB;

/** Bytes of a configuration file. Read at once into memory; a larger file is a mistake (a log, an archive), not a config. */
export const configFileBytesMax = 1 * MiB;

/**
 * Events of one sender of ack level `stream` that it was not told of; beyond it is not read from. Each costs a byte, with
 * receipts 13: 64 KiB (832 KiB) per connection at most. More lets a single connection go faster: it bounds events per round trip.
 */
export const watchedEventsMax = 65_536;

/**
 * Events of one HTTP request that get a receipt, the first ones. Each costs some 100 bytes of the answer, and of memory until
 * then.
 */
export const requestReceiptsMax = 10_000;

/**
 * Events of one ring whose senders wait for their delivery; beyond, those senders are not read from. Each costs 17 bytes: 4.25
 * MiB per ring at most. Only events of less than 100 bytes can meet it before a ring of 32 MiB is full.
 */
export const ringWatchedMax = 262_144;

/** Mistakes of a configuration that are printed; the rest is counted. Keeps a report readable when a wrong file is given. */
export const mistakesShownMax = 100;

/**
 * Arena bytes in which an aggregate of at most `bytesMax` is built: half of that for its key table, which is moved before the
 * records at the end, as much again for the records, and room for the padding of their MD5. Both the plan of the arena and the
 * aggregator go by it.
 */
export function aggregatePlaceBytes(bytesMax: number): number {
  return 2 * bytesMax + 192;
}

/**
 * Shards whose ranges a lane remembers for each stream, closed ones too: what a shard took is judged by its range. 200 bytes
 * each. Forgotten ones are asked for again.
 */
export const rememberedShardsMax = 20_000;

/** Arena bytes that a lane's MD5 kernels need: 64 constants, and the state of eight messages. */
export const md5ScratchBytes = 64 * 4 + 8 * 16;
