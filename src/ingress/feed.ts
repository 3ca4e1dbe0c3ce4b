/**
 * Brings chunks of a Readable (stdin, an HTTP body) to a framer through the landing zone. Main thread. At most one piece is in
 * the landing zone at a time, and it is parsed before anybody else's read can run; an unfinished event is kept in between.
 */
import type { Arena } from '../ring/arena.ts';
import type { Framer } from './framer.ts';
import type { Intake, Landing } from './intake.ts';

export interface FeedOptions {
  readonly framer: Framer;
  readonly landing: Landing;
  readonly arena: Arena;
  readonly intake: Intake;
  readonly nowUs: () => number;
  /** After each piece: the place to pick up answers. */
  readonly onPiece?: () => void;
  /** Stops the feed when it resolves false while waiting for room: the sender has been kept long enough. */
  readonly waitMs?: number;
}

/** Everything went to the framer, or the feed stopped because room did not come in time. */
export type Fed = 'all' | 'blocked';

export async function feed(input: AsyncIterable<Buffer>, options: FeedOptions): Promise<Fed> {
  const { landing } = options;
  const pieceBytes = landing.readEnd - landing.readStart;
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of input) {
    for (let from = 0; from < chunk.length; from += pieceBytes) {
      const left = await parse(rest, chunk.subarray(from, from + pieceBytes), false, options);
      if (left === 'blocked') return 'blocked';
      rest = left;
    }
  }
  const left = await parse(rest, Buffer.alloc(0), true, options);
  return left === 'blocked' ? 'blocked' : 'all';
}

/** Parses `rest` and `piece` as one; returns what is unfinished. */
async function parse(rest: Buffer, piece: Buffer, ended: boolean, options: FeedOptions): Promise<Buffer | 'blocked'> {
  const { framer, landing, arena, intake, nowUs, onPiece } = options;
  let bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
  for (;;) {
    const start = landing.readStart - Math.max(0, bytes.length - (landing.readEnd - landing.readStart));
    arena.bytes.set(bytes, start);
    const end = start + bytes.length;
    const timeUs = nowUs();
    const taken = ended ? framer.finish(start, end, timeUs) : framer.consume(start, end, timeUs);
    intake.commit();
    onPiece?.();
    const left = Buffer.from(arena.buffer.subarray(taken, end));
    if (!framer.blocked) return left;
    if (!(await room(options))) return 'blocked';
    bytes = left;
  }
}

function room({ framer, intake, waitMs }: FeedOptions): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = waitMs === undefined ? undefined : setTimeout(() => resolve(false), waitMs);
    intake.whenRoom(framer.stream, () => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}
