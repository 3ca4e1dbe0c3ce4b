/**
 * `spillway dlq show`: events out of the DLQ, one JSON line each, or their data alone. Main thread; reads files, changes nothing.
 * Memory does not grow with what is shown: whoever reads slowly slows the reading.
 */
import { isUtf8 } from 'node:buffer';
import { once } from 'node:events';
import { SpillwayError } from '../base/errors.ts';
import type { SegmentFacts } from '../dlq/directory.ts';
import { judgeOf } from '../dlq/filter.ts';
import { entry, hashKeyBytes, type Memory } from '../dlq/layout.ts';
import { reasonName } from '../dlq/reasons.ts';
import { walk } from '../dlq/walk.ts';
import { realFiles } from '../edges/files.ts';
import { type FilterFlags, filterFrom } from './dlq-flags.ts';
import type { Place } from './dlq-place.ts';
import { interruption, note, viewOf } from './dlq-read.ts';
import { isoTime, json, plain, plural } from './dlq-text.ts';

export interface ShowFlags extends FilterFlags {
  readonly raw?: true;
  readonly raw0?: true;
  readonly limit?: number;
  readonly series?: string;
  /** JSON lines are what is printed anyway. */
  readonly json?: true;
}

/** Printed bytes that may wait for whoever reads them. */
const waitingBytesMax = 1024 * 1024;

export async function show(place: Place, flags: ShowFlags): Promise<void> {
  const { raw, raw0, limit = Number.POSITIVE_INFINITY, series } = flags;
  if (raw === true && raw0 === true) throw new SpillwayError('usage', 'give --raw or --raw0, not both');
  const view = await viewOf(place);
  const judge = judgeOf(filterFrom(flags));
  const { stdout } = process;
  const { isInterrupted, end } = interruption();
  let [shown, damaged] = [0, 0];
  let segment: SegmentFacts | undefined;
  const write = (memory: Memory, at: number, stream: string): void => {
    if (raw === true || raw0 === true) {
      stdout.write(Buffer.concat([dataOf(memory, at), raw0 === true ? Buffer.alloc(1) : Buffer.from('\n')]));
    } else {
      stdout.write(`${json(lineOf(memory, at, stream, segment as SegmentFacts))}\n`);
    }
  };
  const failures: string[] = [];
  const segments = view.segments.filter((facts) => series === undefined || facts.series === series);
  const isWhole = await walk(
    { ...view, segments },
    { files: realFiles, directory: place.directory, payloads: true, keys: place.keys },
    {
      opened: (facts) => {
        segment = facts;
      },
      closed: (facts, failure) => {
        if (failure !== undefined) failures.push(`${facts.name}: ${plain(failure)}`);
      },
      damage: () => {
        damaged += 1;
      },
      entry: (memory, at, stream, state) => {
        if (shown >= limit) return false;
        if (state !== 'waiting' || !judge(memory, at)) return true;
        shown += 1;
        write(memory, at, stream);
        return shown < limit;
      },
      pause: async () => {
        if (stdout.writableLength > waitingBytesMax) await once(stdout, 'drain');
        else await new Promise((resolve) => setImmediate(resolve));
        return shown < limit && !isInterrupted();
      },
    },
  );
  end();
  for (const failure of failures) note(failure);
  if (damaged > 0) note(`${plural(damaged, 'damaged range')} left out: see spillway dlq verify`);
  if (!isWhole && isInterrupted())
    throw new SpillwayError('interrupted', `interrupted after ${plural(shown, 'event')}`);
  if (shown === 0 && failures.length === 0) note('no event is meant by these flags');
  if (failures.length > 0) process.exitCode = 1;
}

function dataOf(memory: Memory, at: number): Buffer {
  const from = entry.dataOffset(memory, at);
  // A copy: the window is read into again before a slow reader has taken it.
  return Buffer.from(memory.buffer.subarray(from, from + entry.dataLength(memory, at)));
}

function lineOf(memory: Memory, at: number, stream: string, segment: SegmentFacts): object {
  const { buffer } = memory;
  const hashKey = entry.hashKeyOffset(memory, at);
  const key = entry.keyOffset(memory, at);
  const data = dataOf(memory, at);
  const isText = isUtf8(data);
  return {
    sequence: entry.sequence(memory, at),
    series: segment.series,
    stream,
    reason: reasonName(entry.reason(memory, at)),
    key: buffer.toString('utf8', key, key + entry.keyLength(memory, at)),
    hashKey: hashKey === 0 ? null : decimal(buffer.subarray(hashKey, hashKey + hashKeyBytes)),
    attempts: entry.attempts(memory, at),
    firstSeen: isoTime(entry.firstSeenUs(memory, at)) ?? null,
    encoding: isText ? 'utf8' : 'base64',
    data: data.toString(isText ? 'utf8' : 'base64'),
  };
}

/** As Kinesis takes an explicit hash key. */
function decimal(bigEndian: Buffer): string {
  return BigInt(`0x${bigEndian.toString('hex')}`).toString();
}
