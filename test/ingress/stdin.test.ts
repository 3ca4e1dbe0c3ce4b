/**
 * Events on standard input: the reader on real sockets, and a daemon that is fed by a pipe.
 */
import { once } from 'node:events';
import { createConnection, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Verdict } from '../../src/ingress/intake.ts';
import { LineFramer } from '../../src/ingress/lines.ts';
import type { ToldRefusal } from '../../src/ingress/refusal-list.ts';
import { readLines } from '../../src/ingress/stdin.ts';
import { createArena } from '../../src/ring/arena.ts';
import { Rig } from '../daemon/running.ts';
import { landingOf, recordingIntake } from './recording-intake.ts';
import { eventually, keyFinderFor, temporaryDirectory } from './unix-harness.ts';

/** A reader at one end of a socket, and the other end. */
async function pipeline(t: Test, keyField?: string) {
  const arena = createArena(1 << 20);
  const intake = recordingIntake(arena, { eventBytesMax: 60_000 });
  const server = createServer().listen(join(temporaryDirectory(t), 'pipe'));
  const into = createConnection({ path: server.address() as string });
  const [input] = (await once(server, 'connection')) as [Socket];
  t.teardown(() => {
    into.destroy();
    input.destroy();
    server.close();
  });
  const keyFinder = keyFinderFor(arena, keyField);
  const framer = new LineFramer({ arena, intake, stream: 0, keyFinder, missingKey: 'refuse', lineBytesMax: 60_000 });
  const told: ToldRefusal[] = [];
  const omitted: number[] = [];
  const reader = readLines({
    input,
    framer,
    arena,
    landing: landingOf(65_536, 4_096),
    intake,
    nowUs: () => 1,
    onRefusal: (refusal) => told.push(refusal),
    onOmitted: (lines) => omitted.push(lines),
  });
  return { intake, reader, told, omitted, into };
}

t.test('every line becomes an event, wherever the pipe cuts it; the end of input ends the last', async (t) => {
  const { intake, reader, into } = await pipeline(t);
  const lines = Array.from({ length: 3_000 }, (_, index) => `${index} ${'x'.repeat((index * 7) % 90)}`);
  const text = Buffer.from(lines.join('\r\n'));
  for (let offset = 0; offset < text.length; offset += 997) into.write(text.subarray(offset, offset + 997));
  into.end();
  t.match(await reader.ended, { end: 'finished', accepted: lines.length, refused: 0 });
  t.strictSame(
    intake.offered.map(({ data }) => data),
    lines,
  );
});

t.test('refused lines are told by number and cause, sixteen a chunk, the others counted', async (t) => {
  const { reader, told, omitted, into } = await pipeline(t, 'id');
  into.end('{"id":"a"}\nbad\n{}\n'.repeat(40));
  t.match(await reader.ended, { accepted: 40, refused: 80 });
  t.match(told[0], { line: 2, error: 'bad_json' });
  t.match(told[1], { line: 3, error: 'missing_key' });
  const counted = told.reduce((sum, { count = 1 }) => sum + count, 0) + omitted.reduce((sum, lines) => sum + lines, 0);
  t.equal(counted, 80, 'no refusal goes untold');
});

t.test('without room the pipe is not read, and nothing is lost', async (t) => {
  const { intake, reader, into } = await pipeline(t);
  let room = 0;
  intake.verdict = () => (room-- > 0 ? Verdict.ring : Verdict.blocked);
  const count = 20_000;
  into.end('0123456789\n'.repeat(count));
  while (intake.offered.length < count) {
    await eventually(() => intake.waiting === 1 || intake.offered.length === count);
    room = 1_500;
    intake.makeRoom();
  }
  t.match(await reader.ended, { end: 'finished', accepted: count });
});

t.test('stop takes whole lines only; a writer that is killed leaves its last line as it came', async (t) => {
  const stopped = await pipeline(t);
  stopped.into.write('one\ntwo\nunfinis');
  await eventually(() => stopped.intake.offered.length === 2);
  stopped.reader.stop();
  t.match(await stopped.reader.ended, { end: 'told', accepted: 2 });
  const killed = await pipeline(t);
  killed.into.write('one\nunfinis');
  await eventually(() => killed.intake.offered.length === 1);
  killed.into.destroy();
  t.match(await killed.reader.ended, { end: 'finished', accepted: 2 });
});

t.test('a daemon takes lines from its standard input, logs refused ones, and ends with its input', async (t) => {
  const rig = await Rig.start(t);
  const rest = '[[listen]]\nkind = "stdin"\nstream = "orders"\nkey_field = "user.id"\nmissing_key = "refuse"\n';
  const daemon = await rig.daemon('', rest, { stdin: 'pipe' });
  const input = daemon.process.stdin;
  if (input === null) throw new Error('the daemon was started with a pipe');
  input.write('{"user":{"id":"a"},"n":1}\nnonsense\n{"n":2}\n');
  const refusal = await daemon.line(({ kind, code }) => kind === 'listener' && code === 'missing_key');
  t.match(JSON.parse(refusal.msg), { line: 3, error: 'missing_key', message: /key field is absent/ });
  input.end('{"user":{"id":"b"},"n":3}');
  t.equal(await daemon.exited, 0);
  const arrived: string[] = [];
  for await (const { data, partitionKey } of rig.simulator.events('orders')) {
    arrived.push(`${partitionKey} ${Buffer.from(data, 'base64').toString()}`);
  }
  t.strictSame(arrived.sort(), ['a {"user":{"id":"a"},"n":1}', 'b {"user":{"id":"b"},"n":3}']);
});
