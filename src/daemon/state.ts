/**
 * What a daemon keeps on disk: its lock on the state directory, and the DLQ in it. Main thread; opened once at the start, before any event
 * is taken. It ends neither: who opens them does.
 */
import { join } from 'node:path';
import { SpillwayError, toPlainError } from '../base/errors.ts';
import { type Dlq, openDlq } from '../dlq/dlq.ts';
import type { Clock } from '../edges/clock.ts';
import { realFiles } from '../edges/files.ts';
import type { Random } from '../edges/random.ts';
import { MainCounter, type MainCounters } from '../observe/counters.ts';
import type { Log } from '../observe/log.ts';
import type { Arena } from '../ring/arena.ts';
import type { ArenaPlan } from '../threads/plan.ts';
import type { Config } from './config.ts';
import { fsyncPolicy } from './demand.ts';
import { dlqKeys } from './dlq-keys.ts';
import { logDlqEvent } from './dlq-log.ts';
import { StateLock } from './state-lock.ts';

/**
 * What earlier runs left on disk is counted before the first event is taken as long as that takes some ten milliseconds; more is
 * counted beside the work: a start that takes events at once is worth more than a complete status.
 */
const indexAtOnceBytes = 8 * 1024 * 1024;

export interface StateParts {
  readonly config: Config;
  readonly plan: ArenaPlan;
  readonly arena: Arena;
  readonly counters: MainCounters;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** The state directory is this process' own from here on. Throws `state_dir` or `dlq_key`, with the cure. */
export async function openState(parts: StateParts): Promise<{ readonly lock: StateLock; readonly dlq: Dlq }> {
  const { stateDir } = parts.config.daemon;
  try {
    const lock = await StateLock.take(realFiles, stateDir);
    return { lock, dlq: await open(parts) };
  } catch (error) {
    const { code, message } = toPlainError(error);
    if (code === 'state_dir' || code === 'dlq_key') throw error;
    throw new SpillwayError(
      'state_dir',
      `daemon.state_dir ${stateDir} cannot be used: ${message}; give it a directory that this user may write`,
      { cause: error },
    );
  }
}

function open({ config, plan, arena, counters, clock, random, log }: StateParts): Promise<Dlq> {
  const { maxBytes, segmentBytes, fsync, reserveBytes, whenFull, maxAgeMs } = config.dlq;
  const { dlqBlocks, replayWindows } = plan;
  return openDlq({
    directory: join(config.daemon.stateDir, 'dlq'),
    maxBytes,
    segmentBytes,
    fsync: fsyncPolicy(fsync),
    reserveBytes,
    whenFull,
    maxAgeMs,
    keys: dlqKeys(config.dlq),
    arena,
    blocks: dlqBlocks,
    replayWindows,
    streams: config.streams.map(({ name }) => name),
    files: realFiles,
    clock: {
      nowMs: () => clock.nowMs(),
      after: (delayMs, run) => {
        const timer = setTimeout(run, delayMs);
        return () => clearTimeout(timer);
      },
    },
    randomWord: () => random.bytes(4).readUInt32LE(0),
    eventBytesMax: config.streams.map(({ recordBytesMax }) => recordBytesMax),
    indexAtOnceBytes,
    onFound: (stream, events) => counters.add(stream, MainCounter.recovered, events),
    onDropped: (stream, events) => counters.add(stream, MainCounter.dropped, events),
    onEvent: (report) => logDlqEvent(log, report),
  });
}
