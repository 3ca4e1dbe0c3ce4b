/**
 * Reads the first bytes of a connection of frames: version, ack level, stream name (PROTOCOL.md). Main thread; called by the
 * parser (frames.ts) until the hello is whole; knows nothing of what follows.
 */
import type { Arena } from '../ring/arena.ts';
import { AckLevel, ackLevelDefault, HelloFlag, helloHeadBytes, helloMagic, protocolVersion } from './frame-layout.ts';
import { type Refusal, refusals, Verdict } from './intake.ts';

export type Hello =
  | { readonly kind: 'unfinished' }
  /** `next`: offset behind the hello. An empty `streamName`: the listener's default. `ackLevel`: memory, disk, stream, or the default. */
  | {
      readonly kind: 'hello';
      readonly streamName: string;
      readonly ackLevel: number;
      readonly receipts: boolean;
      readonly next: number;
    }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

const unfinished: Hello = { kind: 'unfinished' };

/** The hello in the arena's bytes [start, end). */
export function readHello(arena: Arena, start: number, end: number): Hello {
  const { buffer } = arena;
  const length = end - start;
  if (length >= 4 && buffer.readUInt32LE(start) !== helloMagic) {
    return refused('bad_hello', 'a connection of frames begins with FF 53 50 57');
  }
  if (length < helloHeadBytes) return unfinished;
  const version = buffer.readUInt8(start + 4);
  if (version !== protocolVersion) {
    return refused('bad_version', `protocol version ${version} is not spoken here; use ${protocolVersion}`);
  }
  const ackLevel = buffer.readUInt8(start + 5);
  const isLevel = ackLevel <= AckLevel.stream || ackLevel === ackLevelDefault;
  if (!isLevel) return { kind: 'refused', refusal: refusalOf(Verdict.ackLevel) };
  const nameBytes = buffer.readUInt8(start + 6);
  const flags = buffer.readUInt8(start + 7);
  if ((flags & ~HelloFlag.receipts) !== 0) return refused('bad_hello', `hello flags ${flags} are unknown`);
  const next = start + helloHeadBytes + nameBytes;
  if (next > end) return unfinished;
  return {
    kind: 'hello',
    streamName: buffer.toString('utf8', start + helloHeadBytes, next),
    ackLevel,
    receipts: (flags & HelloFlag.receipts) !== 0,
    next,
  };
}

/** The text of a refusal that always exists. */
export function refusalOf(verdict: Verdict): Refusal {
  const refusal = refusals[verdict];
  if (refusal === undefined) throw new Error(`assertion failed: verdict ${verdict} has a text`);
  return refusal;
}

function refused(code: string, message: string): Hello {
  return { kind: 'refused', refusal: { code, message, retryable: false } };
}
