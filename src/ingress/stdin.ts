/**
 * Lines from a Readable (the daemon's standard input) to the intake. Main thread; opened once by the daemon's wiring. Answers
 * go to a callback: standard output belongs to the log.
 */
import type { Readable } from 'node:stream';
import type { Arena } from '../ring/arena.ts';
import { CarryPool } from './carry.ts';
import { Sender } from './fair-shares.ts';
import type { Intake, Landing } from './intake.ts';
import { LandedStream, type StreamEnd } from './landed-stream.ts';
import type { LineFramer } from './lines.ts';
import type { ToldRefusal } from './refusal-list.ts';

export interface LineInputOptions {
  readonly input: Readable;
  readonly framer: LineFramer;
  readonly arena: Arena;
  readonly landing: Landing;
  readonly intake: Intake;
  readonly nowUs: () => number;
  /** A run of refused lines. At most 16 per chunk of the input. */
  readonly onRefusal: (refusal: ToldRefusal) => void;
  /** So many lines of a chunk were refused beyond those. */
  readonly onOmitted: (lines: number) => void;
}

export interface LineInput {
  /** What became of the lines, when the input has ended, failed or was stopped. Never rejects. */
  readonly ended: Promise<{ readonly end: StreamEnd; readonly accepted: number; readonly refused: number }>;
  /** Reads no more. A last line without its break is not taken. */
  stop(): void;
}

/** Reads lines until the input ends. A last line without its break is taken then. */
export function readLines(options: LineInputOptions): LineInput {
  const { input, framer, arena, landing, intake, nowUs, onRefusal, onOmitted } = options;
  let stop = (): void => {};
  const ended = new Promise<StreamEnd>((resolve) => {
    const stream = new LandedStream({
      input,
      framer,
      arena,
      landing,
      intake,
      sender: new Sender(),
      nowUs,
      // One input: what it may keep is bounded by the longest line, or by the landing zone when blocked.
      carryPool: new CarryPool(2 * (landing.readEnd - landing.carryStart)),
      bytesMax: Number.POSITIVE_INFINITY,
      onParsed: () => {
        const { told, omitted } = framer.takeRefusals();
        for (const refusal of told) onRefusal(refusal);
        if (omitted > 0) onOmitted(omitted);
        return true;
      },
      onEnd: resolve,
    });
    stop = () => {
      input.pause();
      stream.end();
    };
  });
  return {
    ended: ended.then((end) => ({ end, accepted: framer.accepted, refused: framer.refused })),
    stop: () => stop(),
  };
}
