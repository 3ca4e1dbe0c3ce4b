import t, { type Test } from 'tap';
import { hashKeyWords } from '../../src/batch/hash-key.ts';
import type { ShardRange } from '../../src/batch/shard-ranges.ts';
import { type Findings, type Questions, Survey } from '../../src/deliver/survey.ts';
import { placesByKey, type StreamSummary } from '../../src/edges/kinesis.ts';
import { VirtualTime } from './virtual-time.ts';

const hashKeyMax = 2n ** 128n - 1n;

/** A stream that answers at once; what it says, and which questions it was asked when, the tests set and read. */
class SaidStream implements Questions {
  readonly asked: string[] = [];
  summary: StreamSummary | Error = { createdMs: 1, placesByKey: true, recordBytesMax: 2_048 };
  open: ShardRange[] | Error = evenly('a', 'b');
  closed: ShardRange[] = [];
  readonly #time: VirtualTime;

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  describe = async (): Promise<StreamSummary> => {
    this.asked.push(`describe ${this.#time.nowMs}`);
    if (this.summary instanceof Error) throw this.summary;
    return this.summary;
  };

  listShards = async (closed: boolean): Promise<ShardRange[]> => {
    this.asked.push(`${closed ? 'closed' : 'open'} ${this.#time.nowMs}`);
    if (this.open instanceof Error) throw this.open;
    return closed ? [...this.open, ...this.closed] : this.open;
  };

  /** When it was surveyed. */
  get rounds(): number[] {
    return this.asked.filter((line) => line.startsWith('describe')).map((line) => Number(line.split(' ')[1]));
  }
}

function evenly(...ids: string[]): ShardRange[] {
  const width = (hashKeyMax + 1n) / BigInt(ids.length);
  return ids.map((shardId, i) => {
    const end = i === ids.length - 1 ? hashKeyMax : width * BigInt(i + 1) - 1n;
    return { shardId, startingHashKey: `${width * BigInt(i)}`, endingHashKey: `${end}` };
  });
}

function named(name: string): Error {
  return Object.assign(new Error(name), { name });
}

function open(
  t: Test,
  share = 0.5,
  summary?: SaidStream['summary'],
): { survey: Survey; stream: SaidStream; time: VirtualTime; found: Findings[] } {
  const time = new VirtualTime(100_000);
  const stream = new SaidStream(time);
  if (summary !== undefined) stream.summary = summary;
  const found: Findings[] = [];
  const random = { share: () => share, bytes: (length: number) => Buffer.alloc(length) };
  const parts = { kinesis: stream, clock: time.clock, after: time.after, random };
  const survey = new Survey(parts, (findings) => found.push(findings));
  t.teardown(() => survey.close());
  survey.refresh();
  return { survey, stream, time, found };
}

t.test('the first answer tells shards, placing and record limit; without a change nothing is told', async (t) => {
  const { survey, time, found } = open(t);
  t.equal(survey.asked, false);
  await time.pass(100_000);
  t.strictSame([survey.asked, survey.aggregates, survey.recordBytesMax], [true, true, 2_048]);
  t.strictSame(survey.ranges?.shardIds, ['a', 'b']);
  t.strictSame(found, [{ cause: '2 open shards, records of at most 2048 bytes', changed: true, answered: true }]);
  await time.pass(160_000);
  t.strictSame(found[1], { cause: '', changed: false, answered: true });
});

t.test('without evidence it asks about once a minute, and hosts not together', async (t) => {
  for (const [share, waitMs] of [
    [0, 45_000],
    [0.5, 60_000],
    [1, 75_000],
  ] as const) {
    const { stream, time } = open(t, share);
    await time.pass(200_000);
    t.equal((stream.rounds[1] as number) - (stream.rounds[0] as number), waitMs);
  }
});

t.test('evidence has it ask at once, but not more than four times a second however much there is', async (t) => {
  const { survey, stream, time } = open(t);
  await time.pass(105_000);
  for (let i = 0; i < 100; i++) {
    survey.refresh();
    await time.pass(time.nowMs + 10);
  }
  await time.pass(time.nowMs + 10_000);
  t.strictSame(stream.rounds.slice(0, 6), [100_000, 105_000, 105_250, 105_500, 105_750, 106_000]);
  t.equal(stream.rounds.length, 6, 'and then no more');
});

t.test('evidence that comes while it asks is followed by another round', async (t) => {
  const { survey, stream, time } = open(t);
  survey.refresh();
  await time.pass(110_000);
  t.strictSame(stream.rounds, [100_000, 100_250]);
});

t.test('a failed survey is repeated with growing pauses, whatever evidence there is', async (t) => {
  const { survey, stream, time, found } = open(t, 0.999);
  stream.open = named('LimitExceededException');
  for (let i = 0; i < 1_000; i++) {
    await time.pass(time.nowMs + 20);
    survey.refresh();
  }
  const pauses = stream.rounds.slice(1).map((atMs, i) => Math.round(atMs - (stream.rounds[i] as number)));
  t.strictSame(pauses.slice(0, 4), [900, 1_299, 2_098, 3_697]);
  t.ok(
    pauses.every((pauseMs) => pauseMs <= 5_500),
    pauses.join(' '),
  );
  t.strictSame([survey.asked, survey.aggregates], [true, false]);
  t.match(found[0], { changed: true, answered: false, cause: /^LimitExceededException/ });
});

t.test('a shard that took a record is asked for though it is closed, and not again once it is known', async (t) => {
  const { survey, stream, time } = open(t);
  await time.pass(101_000);
  stream.closed = [{ shardId: 'x', startingHashKey: '0', endingHashKey: '99' }];
  survey.refresh(['x', 'y', 'a']);
  await time.pass(102_000);
  t.strictSame(stream.asked.filter((line) => line.startsWith('closed')).length, 1);
  t.equal(survey.rangeOf('x')?.[2 * hashKeyWords - 1], 99);
  t.equal(survey.rangeOf('y'), undefined);
  survey.refresh(['x', 'a']);
  await time.pass(103_000);
  t.strictSame(stream.asked.filter((line) => line.startsWith('closed')).length, 1);
});

t.test('a list with a hole or an overlap makes no map, and the map before stays', async (t) => {
  for (const broken of [evenly('a', 'b').slice(1), [...evenly('a', 'b'), ...evenly('c')]]) {
    const { survey, stream, time, found } = open(t);
    await time.pass(101_000);
    stream.open = broken;
    survey.refresh();
    await time.pass(101_010);
    t.match(found[1], { answered: false, cause: /^shard_map/ });
    t.strictSame(survey.ranges?.shardIds, ['a', 'b']);
  }
});

t.test('a stream made anew has another map though its shards are called and cut the same', async (t) => {
  const { survey, stream, time, found } = open(t);
  stream.closed = [{ shardId: 'x', startingHashKey: '0', endingHashKey: '99' }];
  survey.refresh(['x']);
  await time.pass(101_000);
  const before = survey.ranges;
  t.ok(before !== undefined && survey.isOfStream(before) && survey.rangeOf('x') !== undefined);
  stream.summary = { createdMs: 2, placesByKey: true, recordBytesMax: undefined };
  survey.refresh();
  await time.pass(102_000);
  t.not(survey.ranges, before);
  t.equal(survey.rangeOf('x'), undefined, 'what is remembered was the old one');
  t.notOk(survey.isOfStream(before as NonNullable<typeof before>));
  t.ok(survey.ranges !== undefined && survey.isOfStream(survey.ranges));
  t.match(found.at(-1), { changed: true, cause: /another stream/ });
});

t.test(
  'a stream that is gone has no map; one that a request did not find is doubted until it is asked for again',
  async (t) => {
    const { survey, stream, time } = open(t);
    await time.pass(101_000);
    const { ranges } = survey;
    survey.doubt();
    t.notOk(survey.isOfStream(ranges as NonNullable<typeof ranges>));
    await time.pass(101_010);
    t.ok(survey.isOfStream(ranges as NonNullable<typeof ranges>), 'it is there, and the same');
    stream.summary = named('ResourceNotFoundException');
    survey.refresh();
    await time.pass(101_300);
    t.strictSame([survey.ranges, survey.aggregates, survey.rangeOf('a')], [undefined, false, undefined]);
  },
);

t.test('nothing is aggregated without proof: denied, not said, AUTO', async (t) => {
  const summary = { createdMs: 1, recordBytesMax: undefined };
  for (const [said, cause] of [
    [named('AccessDeniedException'), /distribution unknown/],
    [named('UnknownOperationException'), /distribution unknown/],
    [{ ...summary, placesByKey: undefined }, /distribution unknown/],
    [{ ...summary, placesByKey: false }, /distribution AUTO/],
  ] as const) {
    const { survey, time, found } = open(t, 0.5, said);
    await time.pass(100_100);
    t.equal(survey.aggregates, false);
    t.strictSame(survey.ranges?.shardIds, ['a', 'b'], 'the map is known nevertheless');
    t.match(found[0], { answered: true, cause });
  }
});

t.test('a provisioned stream places by key though it names no strategy; an on-demand one must say so', async (t) => {
  t.equal(placesByKey(undefined, 'PROVISIONED'), true);
  t.equal(placesByKey(undefined, 'ON_DEMAND'), undefined);
  t.equal(placesByKey(undefined, undefined), undefined);
  t.equal(placesByKey('USER_PARTITION_KEY', 'ON_DEMAND'), true);
  t.equal(placesByKey('AUTO', 'ON_DEMAND'), false);
});

t.test('a closed survey asks and tells nothing any more', async (t) => {
  const { survey, stream, time, found } = open(t);
  survey.close();
  await time.pass(300_000);
  survey.refresh();
  await time.pass(400_000);
  t.strictSame([stream.rounds.length, found.length], [1, 0]);
});
