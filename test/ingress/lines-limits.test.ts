/**
 * Lines at their limits, on real unix sockets: too long, too many refusals, no room, no time, no reader.
 */
import t from 'tap';
import { Verdict } from '../../src/ingress/intake.ts';
import { refusalRunsMax } from '../../src/ingress/refusal-list.ts';
import { eventually, listenForTest, RawSender } from './unix-harness.ts';

const lastLine = (sender: RawSender): unknown => JSON.parse(sender.text.trimEnd().split('\n').at(-1) ?? '');

t.test('a line beyond the limit is refused by number and limit, whatever its length; others are taken', async (t) => {
  for (const excess of [1, 2, 100, 50_000]) {
    const { path, intake, listener } = await listenForTest(t, { lines: { lineBytesMax: 1_000 }, readBytes: 512 });
    const sender = new RawSender(path, false);
    const exactly = 'x'.repeat(1_000);
    sender.socket.write(`${exactly}\n${exactly}\r\n${exactly}${'y'.repeat(excess)}\r\nlast\n`);
    await sender.until(() => sender.text.includes('"accepted":3'));
    t.strictSame(
      intake.offered.map(({ data }) => data),
      [exactly, exactly, 'last'],
    );
    t.match(sender.text, /"line":3,"error":"event_too_large","message":"[^"]*1000 bytes/);
    t.ok(listener.stats.carryBytes <= 4_096, 'no more of it is kept than the limit');
    sender.socket.end();
    await sender.closed;
  }
});

t.test('a line that is too long is refused before it has ended', async (t) => {
  const { path } = await listenForTest(t, { lines: { lineBytesMax: 1_000 } });
  const sender = new RawSender(path, false);
  sender.socket.write('z'.repeat(1_100));
  await sender.until(() => sender.text.includes('event_too_large'));
  sender.socket.end('more of it\nnext\n');
  await sender.closed;
  t.strictSame(lastLine(sender), { accepted: 1, refused: 1 });
});

t.test('neighbouring refusals are one answer, and beyond so many only counted', async (t) => {
  const { path, intake } = await listenForTest(t, { lines: { keyField: 'id' } });
  const sender = new RawSender(path, false);
  const pairs = refusalRunsMax + 5;
  sender.socket.end(`bad\nbad\n{"id":"a"}\n`.repeat(pairs));
  await sender.closed;
  const told = sender.text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  t.match(told[0], { line: 1, error: 'bad_json', count: 2 });
  t.match(told[1], { line: 4, error: 'bad_json', count: 2 });
  t.equal(told.filter(({ error }) => error !== undefined).length, refusalRunsMax);
  t.match(told.at(-2), { omitted: 10 });
  t.strictSame(told.at(-1), { accepted: pairs, refused: 2 * pairs });
  t.equal(intake.refusedByListener.length, 2 * pairs);
});

t.test('lines that find no room wait, and are taken once, in order', async (t) => {
  const { path, intake } = await listenForTest(t, { lines: {}, readBytes: 256 });
  let room = 3;
  intake.verdict = () => (room-- > 0 ? Verdict.ring : Verdict.blocked);
  const sender = new RawSender(path, false);
  const lines = Array.from({ length: 200 }, (_, index) => `line ${index}`);
  sender.socket.end(lines.join('\n'));
  while (intake.offered.length < lines.length) {
    await eventually(() => intake.waiting === 1 || intake.offered.length === lines.length);
    room = 7;
    intake.makeRoom();
  }
  await sender.closed;
  t.strictSame(
    intake.offered.map(({ data }) => data),
    lines,
  );
  t.strictSame(lastLine(sender), { accepted: 200, refused: 0 });
});

t.test('a sender of lines that never reads its answers is not read from, and costs bounded memory', async (t) => {
  const { path, intake, listener } = await listenForTest(t, { lines: { keyField: 'id' }, readBytes: 128 });
  const sender = new RawSender(path, false);
  sender.socket.pause();
  const total = 300_000;
  sender.socket.write('bad\n{}\n'.repeat(total / 2));
  let before = -1;
  // Stopped: a hundred turns of the loop without a byte read.
  for (let quiet = 0; quiet < 100; quiet = listener.stats.bytesRead === before ? quiet + 1 : 0) {
    before = listener.stats.bytesRead;
    await new Promise((resolve) => setImmediate(resolve));
  }
  const judged = intake.offered.length + intake.refusedByListener.length;
  t.ok(judged < total, `stopped after ${judged} of ${total}`);
  t.ok(listener.stats.carryBytes <= 8_192, 'one read at most is kept');
  sender.socket.resume();
  sender.socket.end();
  await sender.closed;
  t.strictSame(lastLine(sender), { accepted: total / 2, refused: total / 2 }, 'nothing was lost');
});

t.test('a sender that does not read for the idle time is closed', async (t) => {
  const { path, listener } = await listenForTest(t, { lines: { keyField: 'id' }, readBytes: 128, idleTimeoutMs: 100 });
  const sender = new RawSender(path, false);
  sender.socket.pause();
  sender.socket.write('bad\n{}\n'.repeat(200_000));
  await eventually(() => listener.stats.connectionsTotal === 1);
  await eventually(() => listener.stats.connectionsOpen === 0);
  t.equal(listener.stats.carryBytes, 0);
  sender.socket.destroy();
});

t.test(
  'a silent sender of lines is told idle_timeout behind its totals; one that said nothing is told too',
  async (t) => {
    const { path } = await listenForTest(t, { lines: {}, idleTimeoutMs: 60 });
    const sender = new RawSender(path, false);
    const mute = new RawSender(path, false);
    sender.socket.write('one\nunfinished');
    await Promise.all([sender.end(), mute.end()]);
    t.match(sender.text, /^\{"accepted":1,"refused":0\}\n/);
    for (const { text } of [sender, mute]) {
      t.match(JSON.parse(text.trimEnd().split('\n').at(-1) ?? ''), { error: 'idle_timeout', retryable: true });
    }
    for (const { socket } of [sender, mute]) socket.destroy();
  },
);

t.test('a sender that was blocked for longer than the idle time is idle only after as long again', async (t) => {
  const { path, intake, listener } = await listenForTest(t, { lines: {}, idleTimeoutMs: 80 });
  let room = false;
  intake.verdict = () => (room ? Verdict.ring : Verdict.blocked);
  const sender = new RawSender(path, false);
  sender.socket.write('one\n');
  await eventually(() => intake.waiting === 1);
  const blockedMs = performance.now();
  await eventually(() => performance.now() - blockedMs > 200);
  t.equal(listener.stats.connectionsOpen, 1, 'it is silent because it is not read from');
  room = true;
  intake.makeRoom();
  await sender.end();
  t.match(sender.text, /"accepted":1/);
  t.match(lastLine(sender), { error: 'idle_timeout' });
  sender.socket.destroy();
});

t.test('a daemon that ends tells senders of lines that it is draining', async (t) => {
  const { path, listener } = await listenForTest(t, { lines: {} });
  const sender = new RawSender(path, false);
  sender.socket.write('one\n');
  await sender.until(() => sender.text.includes('"accepted":1'));
  sender.socket.once('end', () => sender.socket.end());
  await listener.close({ drainMs: 1_000 });
  await sender.end();
  t.match(lastLine(sender), { error: 'draining', retryable: true });
});
