/**
 * The events of bench/end-to-end, as bytes ready for the socket: built once, sent again and again, so that the sender costs
 * the machine little. 10,000 events with a key of their own each, one block.
 */
import { encodeEvent, encodeHello } from '../src/ingress/frame-layout.ts';

/** Distinct keys, and events in one block. */
export const keyCount = 10_000;

export interface LoadCase {
  readonly name: string;
  readonly framing: 'frames' | 'lines';
  /** Bytes of one event's data. */
  readonly eventBytes: number;
}

export interface Load {
  /** What opens the connection. */
  readonly hello: Buffer;
  /** {@link keyCount} events. */
  readonly block: Buffer;
}

/** Ten bytes, as an identifier of a user may have. */
function keyOf(index: number): string {
  return `user${String(index).padStart(6, '0')}`;
}

export function createLoad({ framing, eventBytes }: LoadCase): Load {
  const pieces: Buffer[] = [];
  for (let index = 0; index < keyCount; index++) {
    if (framing === 'frames') pieces.push(encodeEvent(Buffer.from(keyOf(index)), eventText(index, eventBytes)));
    else pieces.push(eventText(index, eventBytes), Buffer.from('\n'));
  }
  const hello = framing === 'frames' ? encodeHello('', 0) : Buffer.alloc(0);
  return { hello, block: Buffer.concat(pieces) };
}

/** A JSON event of exactly `bytes` bytes, with its key behind two other fields. */
function eventText(index: number, bytes: number): Buffer {
  const head = `{"time":"2026-11-27T09:00:00.000Z","type":"order_placed","user":"${keyOf(index)}","total":${100 + (index % 900)}.95,"note":"`;
  const letters = 'the quick brown fox jumps over the lazy dog and '.repeat(Math.ceil(bytes / 48));
  return Buffer.from(`${head}${letters.slice(0, bytes - head.length - 2)}"}`);
}
