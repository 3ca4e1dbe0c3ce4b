/**
 * The binary protocol's bytes: every constant of PROTOCOL.md, and the encoders of the small frames that are not events. Used
 * by the daemon's parser (frames.ts), by its answers (frame-answers.ts) and by the client (src/client); imports neither.
 *
 * ```
 *  0        4    5     6          8                    8 + body length
 *  +--------+----+-----+----------+--------------------+
 *  | body   |type|flags| key      | body               |   all integers little-endian
 *  | length |    |     | length   |                    |
 *  +--------+----+-----+----------+--------------------+
 * ```
 */

/** First byte of a hello: never part of UTF-8 text, so it tells frames from lines. */
export const helloByte = 0xff;
/** `FF 53 50 57`, read as one little-endian word. */
export const helloMagic = 0x575053ff;
export const protocolVersion = 1;
/** Bytes of a hello before the stream's name. */
export const helloHeadBytes = 8;
/** Longest stream name in a hello, in bytes. Kinesis allows 128; names of our own may be longer, not unbounded. */
export const streamNameBytesMax = 255;

/** Bytes before every frame's body. */
export const headerBytes = 8;
export const hashKeyBytes = 16;

/** Frames that a sender may send. */
export const SenderFrame = { event: 1, flush: 2, bye: 3 } as const;
/** Frames that the daemon may send. */
export const DaemonFrame = { hello: 65, ack: 66, refusal: 67, breaker: 68, error: 69, receipt: 70 } as const;

/** Flags of an event frame. */
export const EventFlag = { hashKey: 1, anyKey: 2 } as const;
export const eventFlagsMask = EventFlag.hashKey | EventFlag.anyKey;

/** Codes of the hello's ack level, all from the first to the last. */
export const AckLevel = { memory: 0, disk: 1, stream: 2 } as const;
/** In place of an ack level: the listener's default. */
export const ackLevelDefault = 255;
/** Flags of a hello. */
export const HelloFlag = { receipts: 1 } as const;

/** Bytes of the fixed part of each daemon frame's body. */
export const helloBodyBytes = 12;
export const ackBodyBytes = 8;
export const refusalHeadBytes = 20;
export const breakerBodyBytes = 8;
export const errorHeadBytes = 4;
export const receiptHeadBytes = 20;

/** Longest body of a daemon frame. Longer texts are cut: a client may treat more as nonsense. */
export const answerBodyBytesMax = 1024;

const two32 = 2 ** 32;

/** Writes an integer below 2^53 as 8 bytes. */
export function writeCount(target: Buffer, count: number, offset: number): void {
  target.writeUInt32LE(count % two32, offset);
  target.writeUInt32LE(Math.floor(count / two32), offset + 4);
}

/** Reads 8 bytes as an integer; exact below 2^53, which no connection reaches. */
export function readCount(source: Buffer, offset: number): number {
  return source.readUInt32LE(offset) + source.readUInt32LE(offset + 4) * two32;
}

/** Writes a frame's header; returns the offset behind it. `keyBytes` is 0 for all but event frames. */
export function writeHeader(
  target: Buffer,
  offset: number,
  bodyBytes: number,
  type: number,
  flags: number,
  keyBytes: number,
): number {
  target.writeUInt32LE(bodyBytes, offset);
  target[offset + 4] = type;
  target[offset + 5] = flags;
  target.writeUInt16LE(keyBytes, offset + 6);
  return offset + headerBytes;
}

/** The first bytes of a connection. An empty `streamName` means the listener's default stream; `flags`: {@link HelloFlag}. */
export function encodeHello(
  streamName: string,
  ackLevel: number,
  version: number = protocolVersion,
  flags: number = 0,
): Buffer {
  const name = Buffer.from(streamName);
  const hello = Buffer.alloc(helloHeadBytes + name.length);
  hello.writeUInt32LE(helloMagic, 0);
  hello[4] = version;
  hello[5] = ackLevel;
  // A longer name cannot be that of a stream; cut, it cannot either.
  hello[6] = Math.min(name.length, streamNameBytesMax);
  hello[7] = flags;
  name.copy(hello, helloHeadBytes);
  return hello;
}

/** A frame without a body: flush or bye. */
export function encodeBare(type: number): Buffer {
  const frame = Buffer.alloc(headerBytes);
  writeHeader(frame, 0, 0, type, 0, 0);
  return frame;
}

/** One event as a frame of its own buffer: for tests and for senders that do not count nanoseconds. */
export function encodeEvent(key: Uint8Array, data: Uint8Array, hashKey?: Uint8Array): Buffer {
  const extra = hashKey === undefined ? 0 : hashKeyBytes;
  const frame = Buffer.alloc(headerBytes + extra + key.length + data.length);
  const flags = hashKey === undefined ? 0 : EventFlag.hashKey;
  let offset = writeHeader(frame, 0, frame.length - headerBytes, SenderFrame.event, flags, key.length);
  if (hashKey !== undefined) frame.set(hashKey, offset);
  offset += extra;
  frame.set(key, offset);
  frame.set(data, offset + key.length);
  return frame;
}
