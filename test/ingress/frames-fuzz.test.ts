import t from 'tap';
import { EventFlag, encodeBare, encodeEvent, encodeHello, SenderFrame } from '../../src/ingress/frame-layout.ts';
import { createFrameFramer } from '../../src/ingress/frames.ts';
import { Verdict } from '../../src/ingress/intake.ts';
import { createArena } from '../../src/ring/arena.ts';
import { type Below, seeded } from '../stress/seeded.ts';
import { Feeder } from './feeding.ts';
import { recordingIntake } from './recording-intake.ts';

/** Mutated frames in all; `FUZZ_COUNT=1000000` for a long run, `SEED` to repeat one. */
const count = Number(process.env['FUZZ_COUNT'] ?? 100_000);
const seed = Number(process.env['SEED'] ?? 20_260_731);
const framesPerConnection = 20;
const eventBytesMax = 600;
const carryBytesMax = 1_024;
const landingStart = 4_096;

function anyFrame(below: Below): Buffer {
  const kind = below(12);
  if (kind === 0) return encodeBare(SenderFrame.flush);
  const key = Buffer.alloc(below(30), 'k');
  const data = Buffer.alloc(below(kind === 1 ? 2_000 : 200), 'd');
  const frame = encodeEvent(key, data, kind === 2 ? Buffer.alloc(16, 7) : undefined);
  if (kind === 3) frame[5] = EventFlag.anyKey;
  return frame;
}

/** Breaks a frame in one of the ways in which senders are broken. */
function mutate(frame: Buffer, below: Below): Buffer {
  const bytes = Buffer.from(frame);
  switch (below(6)) {
    case 0:
      bytes[below(bytes.length)] = below(256);
      return bytes;
    case 1:
      bytes[below(8)] = [0, 1, 0x7f, 0x80, 0xff][below(5)] ?? 0;
      return bytes;
    case 2:
      return bytes.subarray(0, below(bytes.length + 1));
    case 3:
      return Buffer.concat([bytes.subarray(0, below(bytes.length)), bytes]);
    case 4:
      bytes.writeUInt32LE(below(2 ** 32), 0);
      return bytes;
    default:
      return bytes;
  }
}

t.test(`${count} mutated frames: no crash, no growth, and an outcome for every event`, async (t) => {
  t.comment(`seed ${seed}`);
  const below = seeded(seed);
  const arena = createArena(1 << 20);
  const intake = recordingIntake(arena, { eventBytesMax });
  let offers = 0;
  intake.verdict = ({ data }) => (data.length % 5 === 0 ? Verdict.saturated : Verdict.ring);
  let failures = 0;
  let outcomes = 0;
  let carriedMost = 0;
  let answerMost = 0;
  for (let sent = 0; sent < count; sent += framesPerConnection) {
    const framer = createFrameFramer({ arena, intake, defaultStream: 0, carryBytesMax });
    const feeder = new Feeder(framer, arena, landingStart);
    const greeting = encodeHello('', 0);
    feeder.feed(below(20) === 0 ? mutate(greeting, below) : greeting);
    for (let frame = 0; frame < framesPerConnection; frame += 1) {
      feeder.feed(mutate(anyFrame(below), below));
      carriedMost = Math.max(carriedMost, feeder.rest.length);
    }
    feeder.finish();
    const { told } = feeder;
    const refused = told.refusals.reduce((sum, run) => sum + run.count, 0);
    const acked = told.acks.at(-1) ?? 0;
    const oversized = intake.refusedByListener.filter((verdict) => verdict === Verdict.eventTooLarge).length;
    if (acked !== intake.offered.length + oversized) throw new Error(`connection ${sent}: ${acked} acknowledged`);
    if (refused > acked) throw new Error(`connection ${sent}: more refused than judged`);
    if (framer.failed !== (told.errors.length === 1)) throw new Error(`connection ${sent}: ${told.errors.join()}`);
    if (feeder.rest.length > 0) throw new Error(`connection ${sent}: bytes without an outcome`);
    failures += told.errors.length;
    outcomes += acked;
    offers += intake.offered.length;
    answerMost = Math.max(answerMost, feeder.answerBytesMost);
    intake.offered.length = 0;
    intake.refusedByListener.length = 0;
  }
  t.ok(carriedMost <= carryBytesMax, `at most ${carriedMost} bytes were carried`);
  t.ok(answerMost < 20_000, `at most ${answerMost} bytes of answers`);
  t.ok(failures > 0 && outcomes > offers && offers > 0, `${outcomes} outcomes, ${offers} offers, ${failures} errors`);
});
