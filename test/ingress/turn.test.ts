import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import t from 'tap';
import { CarryPool } from '../../src/ingress/carry.ts';
import { Connection, turnBytesMax } from '../../src/ingress/connection.ts';
import { LineFramer } from '../../src/ingress/lines.ts';
import { createArena } from '../../src/ring/arena.ts';
import { landingOf, recordingIntake } from './recording-intake.ts';

/** What a connection uses of a socket. */
class QuietSocket extends EventEmitter {
  readonly writableLength = 0;
  reads = true;
  readonly setTimeout = (): void => {};
  readonly write = (): boolean => true;
  readonly pause = (): void => {
    this.reads = false;
  };
  readonly resume = (): void => {
    this.reads = true;
  };
}

t.test('a connection that always has more is read so far, and then not before the next turn', async (t) => {
  const readBytes = 65_536;
  const arena = createArena(1 << 20);
  const landing = landingOf(65_536, readBytes);
  const intake = recordingIntake(arena);
  const due: Connection[] = [];
  const connection = new Connection({
    arena,
    landing,
    intake,
    carryPool: new CarryPool(1 << 20),
    leaveMs: 100,
    nowUs: () => 1,
    framerFor: () => new LineFramer({ arena, intake, stream: 0, missingKey: 'random', lineBytesMax: 2_000 }),
    counted: () => {},
    letGoAfterMs: () => 0,
    letsGo: () => {},
    answerLater: (one) => due.push(one),
    closed: () => {},
  });
  const socket = new QuietSocket();
  connection.open(socket as unknown as Socket, 0);
  arena.buffer.fill(`${'x'.repeat(1_023)}\n`, landing.readStart, landing.readEnd);
  for (let turn = 0; turn < 3; turn++) {
    let bytes = 0;
    for (; socket.reads; bytes += readBytes) connection.landed(readBytes);
    t.equal(bytes, turnBytesMax);
    for (const one of due.splice(0)) one.answer();
    t.ok(socket.reads, 'the next turn goes on');
  }
  t.equal(intake.offered.length, (3 * turnBytesMax) / 1_024, 'nothing is lost');
});
