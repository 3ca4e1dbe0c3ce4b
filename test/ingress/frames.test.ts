/**
 * The parser of frames, claim by claim, with a recording intake. Each claim makes its own feeder or socket.
 *
 * Long because it is a list of claims.
 */
import fc from 'fast-check';
import t from 'tap';
import {
  EventFlag,
  encodeBare,
  encodeEvent,
  encodeHello,
  headerBytes,
  SenderFrame,
  writeHeader,
} from '../../src/ingress/frame-layout.ts';
import { createFrameFramer } from '../../src/ingress/frames.ts';
import { Verdict } from '../../src/ingress/intake.ts';
import { createArena } from '../../src/ring/arena.ts';
import { Feeder } from './feeding.ts';
import { recordingIntake } from './recording-intake.ts';

const landingStart = 4_096;
const seed = Number(process.env['SEED'] ?? 20_260_731);

function setUp(options: { eventBytesMax?: number; carryBytesMax?: number; defaultStream?: number | undefined } = {}) {
  const { eventBytesMax = 1_000, carryBytesMax = 65_536 } = options;
  const defaultStream = 'defaultStream' in options ? options.defaultStream : 0;
  const arena = createArena(1 << 20);
  const intake = recordingIntake(arena, { eventBytesMax });
  const framer = createFrameFramer({ arena, intake, defaultStream, carryBytesMax });
  const feeder = new Feeder(framer, arena, landingStart);
  return { arena, intake, framer, feeder };
}

const bytes = (text: string) => Buffer.from(text, 'latin1');
const event = (key: string, data: string) => encodeEvent(bytes(key), bytes(data));
const hello = encodeHello('', 0);

/** A frame whose header says whatever it is told to say. */
function frame(type: number, flags: number, keyBytes: number, body: Buffer, bodyBytes = body.length): Buffer {
  const header = Buffer.alloc(headerBytes);
  writeHeader(header, 0, bodyBytes, type, flags, keyBytes);
  return Buffer.concat([header, body]);
}

t.test('events reach the intake with key, data and hash key, and are acknowledged by number', async (t) => {
  const { intake, feeder } = setUp();
  const hashKey = Buffer.from('00112233445566778899aabbccddeeff', 'hex');
  feeder.feed(
    Buffer.concat([hello, event('a', 'one'), encodeEvent(bytes('b'), bytes('two'), hashKey), event('c', '')]),
  );
  t.strictSame(intake.offered, [
    { stream: 0, key: 'a', data: 'one', hashKey: undefined },
    { stream: 0, key: 'b', data: 'two', hashKey: '00112233445566778899aabbccddeeff' },
    { stream: 0, key: 'c', data: '', hashKey: undefined },
  ]);
  t.strictSame(feeder.told.acks, [3]);
  t.strictSame(feeder.told.hellos, [headerBytes + 16 + 1_000], 'the hello names the frame limit');
});

t.test('an event with any key gets one from the intake', async (t) => {
  const { intake, feeder } = setUp();
  feeder.feed(Buffer.concat([hello, frame(SenderFrame.event, EventFlag.anyKey, 0, bytes('data'))]));
  t.strictSame(intake.offered, [{ stream: 0, key: 'R'.repeat(16), data: 'data', hashKey: undefined }]);
});

t.test('the hello names the stream', async (t) => {
  const { intake, feeder } = setUp();
  feeder.feed(Buffer.concat([encodeHello('clicks', 0), event('a', 'x')]));
  t.equal(intake.offered[0]?.stream, 1);
});

t.test('a hello that cannot be served is an error and the end', async (t) => {
  const cases: [string, Buffer][] = [
    ['unknown_stream', encodeHello('nowhere', 0)],
    ['unknown_stream', encodeHello('x'.repeat(300), 0)],
    ['ack_level', encodeHello('', 1)],
    ['ack_level', encodeHello('', 2)],
    ['bad_version', encodeHello('', 0, 9)],
    ['bad_hello', bytes('\xffSPX')],
  ];
  for (const [code, greeting] of cases) {
    const { intake, framer, feeder } = setUp();
    feeder.feed(Buffer.concat([greeting, event('a', 'x')]));
    t.strictSame(feeder.told.errors, [code]);
    t.ok(framer.failed);
    t.equal(intake.offered.length, 0);
  }
  const { feeder } = setUp({ defaultStream: undefined });
  feeder.feed(hello);
  t.strictSame(feeder.told.errors, ['unknown_stream'], 'no name and no default');
});

t.test('flush is acknowledged also when nothing is new; bye ends the connection', async (t) => {
  const { framer, feeder } = setUp();
  feeder.feed(Buffer.concat([hello, event('a', 'x')]));
  feeder.feed(encodeBare(SenderFrame.flush));
  t.strictSame(feeder.told.acks, [1, 1]);
  t.notOk(framer.failed);
  feeder.feed(encodeBare(SenderFrame.bye));
  t.strictSame(feeder.told.acks, [1, 1, 1]);
  t.ok(framer.failed);
  t.strictSame(feeder.told.errors, []);
});

t.test('consecutive refusals with one verdict are one frame, sent before the ack that covers them', async (t) => {
  const { intake, feeder } = setUp();
  intake.verdict = ({ data }) =>
    data === 's' ? Verdict.saturated : data === 'q' ? Verdict.dlqFull : data === 'p' ? Verdict.spilled : Verdict.ring;
  feeder.feed(Buffer.concat([hello, ...[...'.ssspsqq'].map((data) => event('k', data))]));
  t.strictSame(
    feeder.told.refusals.map(({ first, count, code, retryable, retryAfterMs }) => [
      first,
      count,
      code,
      retryable,
      retryAfterMs,
    ]),
    [
      [2, 3, 'saturated', true, 250],
      [6, 1, 'saturated', true, 250],
      [7, 2, 'dlq_full', true, 250],
    ],
  );
  t.strictSame(feeder.told.acks, [8]);
});

t.test('an event beyond the frame limit is refused at its header, skipped, and the next one taken', async (t) => {
  for (const flags of [0, EventFlag.hashKey]) {
    const { intake, framer, feeder } = setUp();
    const big = frame(SenderFrame.event, flags, 1, Buffer.alloc(5_000, 'b'));
    feeder.feed(Buffer.concat([hello, event('a', 'x'), big.subarray(0, 100)]));
    t.equal(feeder.rest.length, 0, 'its bytes are not kept');
    t.match(feeder.told.refusals, [{ first: 2, count: 1, code: 'event_too_large', retryable: false }]);
    feeder.feed(big.subarray(100, 3_000));
    feeder.feed(Buffer.concat([big.subarray(3_000), event('c', 'z')]));
    t.strictSame(
      intake.offered.map(({ key }) => key),
      ['a', 'c'],
    );
    t.strictSame(intake.refusedByListener, [Verdict.eventTooLarge]);
    t.equal(feeder.told.acks.at(-1), 3);
    t.equal(framer.offered, 2);
  }
});

t.test('an event as large as the landing zone carries is taken, one byte more is refused', async (t) => {
  const carryBytesMax = 300;
  const { intake, feeder } = setUp({ carryBytesMax });
  const room = carryBytesMax - headerBytes - 16;
  feeder.feed(Buffer.concat([hello, event('k', 'x'.repeat(room - 1)), event('k', 'y'.repeat(room + 16))]));
  t.strictSame(
    intake.offered.map(({ data }) => data.length),
    [room - 1],
  );
  t.equal(feeder.told.refusals.length, 1);
});

t.test('a header that makes no sense is an error behind the last judged event, and the end', async (t) => {
  const cases: [string, Buffer][] = [
    ['unknown type', frame(9, 0, 0, bytes(''))],
    ['unknown type with the length of an event', frame(0, 0, 1, bytes('kdata'))],
    ['unknown flags', frame(SenderFrame.event, 4, 1, bytes('kdata'))],
    ['key longer than the body', frame(SenderFrame.event, 0, 6, bytes('kdata'))],
    ['key longer than the body behind the hash key', frame(SenderFrame.event, 1, 2, Buffer.alloc(17))],
    ['any key and a key', frame(SenderFrame.event, EventFlag.anyKey, 1, bytes('kdata'))],
    ['flush with a body', frame(SenderFrame.flush, 0, 0, bytes('x'))],
    ['bye with flags', frame(SenderFrame.bye, 1, 0, bytes(''))],
  ];
  for (const [name, bad] of cases) {
    const { intake, framer, feeder } = setUp();
    feeder.feed(Buffer.concat([hello, event('a', 'x'), bad, event('b', 'y')]));
    t.strictSame(feeder.told.errors, ['bad_frame'], name);
    t.strictSame(feeder.told.acks, [1], name);
    t.ok(framer.failed, name);
    t.equal(intake.offered.length, 1, name);
    t.strictSame(intake.refusedByListener, [Verdict.badFrame], name);
    feeder.feed(event('c', 'z'));
    t.equal(intake.offered.length, 1, `${name}: nothing is taken afterwards`);
  }
});

t.test('a connection that ends inside a frame is told so', async (t) => {
  for (const tail of [event('b', 'y').subarray(0, 9), event('b', 'y').subarray(0, 3)]) {
    const { feeder } = setUp();
    feeder.feed(Buffer.concat([hello, event('a', 'x'), tail]));
    feeder.finish();
    t.strictSame(feeder.told.errors, ['truncated']);
    t.strictSame(feeder.told.acks, [1]);
  }
  const { framer, feeder } = setUp();
  feeder.feed(Buffer.concat([hello, event('a', 'x')]));
  feeder.finish();
  t.strictSame(feeder.told.errors, []);
  t.notOk(framer.failed);
});

t.test('a blocked event stays first in the rest and is offered again', async (t) => {
  const { intake, framer, feeder } = setUp();
  let room = 2;
  intake.verdict = () => (room > 0 ? Verdict.ring : Verdict.blocked);
  const offer = intake.offer.bind(intake);
  intake.offer = (...offered) => {
    const verdict = offer(...offered);
    room -= 1;
    return verdict;
  };
  const hashed = encodeEvent(bytes('c'), bytes('3'), Buffer.alloc(16, 1));
  feeder.feed(Buffer.concat([hello, event('a', '1'), event('b', '2'), hashed, event('d', '4')]));
  t.ok(framer.blocked);
  t.equal(framer.stream, 0);
  t.equal(feeder.rest.length, hashed.length + event('d', '4').length);
  t.strictSame(feeder.told.acks, [2], 'what was taken before is acknowledged');
  room = 1;
  feeder.feed(bytes(''));
  t.ok(framer.blocked, 'blocked again by the next event');
  room = 9;
  feeder.feed(bytes(''));
  t.notOk(framer.blocked);
  t.equal(intake.offered.map(({ key }) => key).join(''), 'abcd');
  t.equal(feeder.told.acks.at(-1), 4);
});

t.test('the newest breaker state is told once, and not before the hello', async (t) => {
  const { framer, feeder } = setUp();
  framer.tellBreaker?.(2, 100);
  feeder.feed(hello);
  t.strictSame(feeder.told.breakers, []);
  framer.tellBreaker?.(2, 100);
  framer.tellBreaker?.(1, 50);
  feeder.takeAnswer();
  feeder.takeAnswer();
  t.strictSame(feeder.told.breakers, [[1, 50]]);
});

t.test('a listener that closes has its reason told behind the last ack', async (t) => {
  const { framer, feeder } = setUp();
  feeder.feed(Buffer.concat([hello, event('a', 'x')]));
  framer.leave?.('draining', 'the daemon is shutting down', true);
  feeder.takeAnswer();
  t.strictSame(feeder.told.errors, ['draining']);
  t.ok(framer.failed);
});

t.test('answers that wait are bounded however many refusals a read provokes', async (t) => {
  const { intake, feeder } = setUp();
  let count = 0;
  intake.verdict = () => (count++ % 2 === 0 ? Verdict.saturated : Verdict.ring);
  const events = 5_000;
  feeder.feed(Buffer.concat([hello, ...Array.from({ length: events }, () => event('k', ''))]));
  t.equal(intake.offered.length, events);
  t.equal(feeder.told.refusals.length, events / 2);
  t.equal(feeder.told.acks.at(-1), events);
  t.ok(feeder.answerBytesMost < 20_000, `one answer had ${feeder.answerBytesMost} bytes`);
});

const anyEvent = fc.record({
  key: fc.string({ minLength: 0, maxLength: 20, unit: 'binary-ascii' }),
  data: fc.string({ maxLength: 1_200, unit: 'binary-ascii' }),
  hashed: fc.boolean(),
});

t.test('any cutting of the bytes gives what one piece gives', async (t) => {
  t.comment(`seed ${seed}`);
  const run = (input: Buffer, cuts: readonly number[]) => {
    const { intake, feeder } = setUp({ eventBytesMax: 600 });
    intake.verdict = ({ data }) => (data.length % 7 === 3 ? Verdict.saturated : Verdict.ring);
    let from = 0;
    for (const cut of [...cuts, input.length]) {
      feeder.feed(input.subarray(from, cut));
      from = cut;
    }
    feeder.finish();
    const refused = feeder.told.refusals.flatMap(({ first, count, code }) =>
      Array.from({ length: count }, (_, index) => `${first + index} ${code}`),
    );
    return { offered: intake.offered, refused, acked: feeder.told.acks.at(-1), errors: feeder.told.errors };
  };
  const property = fc.property(
    fc.array(anyEvent, { minLength: 1, maxLength: 12 }),
    fc.array(fc.nat(), { maxLength: 30 }),
    fc.boolean(),
    (events, points, bytewise) => {
      const frames = events.map(({ key, data, hashed }) =>
        encodeEvent(bytes(key), bytes(data), hashed ? Buffer.alloc(16, data.length) : undefined),
      );
      const input = Buffer.concat([hello, ...frames, encodeBare(SenderFrame.flush)]);
      const cuts = bytewise
        ? Array.from({ length: input.length }, (_, index) => index)
        : points.map((point) => point % input.length).sort((a, b) => a - b);
      const whole = run(input, []);
      t.strictSame(whole.acked, events.length);
      const cut = run(input, cuts);
      if (JSON.stringify(cut) !== JSON.stringify(whole)) throw new Error(`cut at ${cuts.join()}`);
    },
  );
  fc.assert(property, { seed, numRuns: 60 });
});
