import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { SpillwayError } from '../../src/base/errors.ts';
import type { Refused } from '../../src/client/answers.ts';
import { type Client, type ClientOptions, connect } from '../../src/client/client.ts';
import { DaemonFrame, writeCount, writeHeader } from '../../src/ingress/frame-layout.ts';
import { Verdict } from '../../src/ingress/intake.ts';
import { listenForTest, temporaryDirectory } from '../ingress/unix-harness.ts';

/** A client that is gone after the test. */
async function client(t: Test, options: ClientOptions): Promise<Client> {
  const made = await connect(options);
  t.teardown(() => made.destroy());
  return made;
}

t.test('strings, bytes, hash keys and events without a key arrive as they were sent', async (t) => {
  const { path, intake } = await listenForTest(t);
  const sender = await client(t, { path, stream: 'clicks' });
  sender.send('user', 'text');
  sender.send(Buffer.from('user'), Buffer.from([1, 2, 3]));
  sender.send('user', 'hashed', { explicitHashKey: Buffer.alloc(16, 0xab) });
  sender.send(undefined, 'keyless');
  t.strictSame(await sender.flush(), { accepted: 4, refused: 0 });
  t.strictSame(intake.offered, [
    { stream: 1, key: 'user', data: 'text', hashKey: undefined },
    { stream: 1, key: 'user', data: '\x01\x02\x03', hashKey: undefined },
    { stream: 1, key: 'user', data: 'hashed', hashKey: 'ab'.repeat(16) },
    { stream: 1, key: 'R'.repeat(16), data: 'keyless', hashKey: undefined },
  ]);
  t.equal(sender.limits.eventBytesMax, 60_000);
  await sender.close();
});

t.test('events of many blocks, and events larger than a block, keep their order', async (t) => {
  const { path, intake } = await listenForTest(t);
  const sender = await client(t, { path, blockBytes: 512 });
  const sizes = Array.from({ length: 2_000 }, (_, index) => (index % 50 === 7 ? 5_000 : index % 90));
  for (const [index, size] of sizes.entries()) sender.send('k', `${index} ${'é'.repeat(size)}`);
  t.strictSame(await sender.close(), { accepted: sizes.length, refused: 0 });
  t.equal(sender.unackedBytes, 0);
  t.strictSame(
    intake.offered.map(({ data }) => Number.parseInt(data, 10)),
    sizes.map((_, index) => index),
  );
});

t.test('refusals come by number, and the sums of flush agree with them', async (t) => {
  const { path, intake } = await listenForTest(t);
  intake.verdict = ({ data }) => (data === 'no' ? Verdict.saturated : Verdict.ring);
  const refusals: Refused[] = [];
  const sender = await client(t, { path, onRefusal: (refused) => refusals.push(refused) });
  for (const data of ['yes', 'no', 'no', 'yes', 'no']) sender.send('k', data);
  t.strictSame(await sender.flush(), { accepted: 2, refused: 3 });
  t.match(refusals, [
    { first: 2, count: 2, code: 'saturated', retryable: true, retryAfterMs: 250 },
    { first: 5, count: 1 },
  ]);
});

t.test('send answers false at the window, drains when acknowledged, and throws when false is ignored', async (t) => {
  const { path, intake } = await listenForTest(t);
  intake.verdict = () => Verdict.blocked;
  const windowBytes = 20_000;
  let drained: () => void = () => {};
  const drain = new Promise<void>((resolve) => {
    drained = resolve;
  });
  const sender = await client(t, { path, windowBytes, onDrain: () => drained() });
  let sent = 1;
  while (sender.send('k', 'x'.repeat(91))) sent += 1;
  t.equal(sent, windowBytes / 100, 'a frame has 100 bytes');
  t.throws(
    () => {
      for (;;) {
        sender.send('k', 'x'.repeat(91));
        sent += 1;
      }
    },
    { code: 'window_full' },
  );
  t.equal(sender.unackedBytes, 2 * windowBytes);
  while (intake.waiting === 0) await new Promise((resolve) => setImmediate(resolve));
  intake.verdict = () => Verdict.ring;
  intake.makeRoom();
  await drain;
  t.ok(sender.unackedBytes <= windowBytes / 2);
  t.strictSame(await sender.close(), { accepted: sent, refused: 0 });
});

t.test('a lost connection names the events whose outcome is unknown', async (t) => {
  const { path, intake, listener } = await listenForTest(t);
  let closed: { error?: SpillwayError; first: number; count: number } | undefined;
  const sender = await client(t, {
    path,
    onClose: (outcome) => {
      closed = outcome;
    },
  });
  for (let index = 0; index < 3; index += 1) sender.send('k', 'x');
  await sender.flush();
  intake.verdict = () => Verdict.blocked;
  for (let index = 0; index < 5; index += 1) sender.send('k', 'x');
  const flushed = sender.flush();
  await Promise.all([t.rejects(flushed, { code: 'draining', retryable: true }), listener.close({ drainMs: 1_000 })]);
  t.match(closed, { error: { code: 'draining' }, first: 4, count: 5 });
  t.throws(() => sender.send('k', 'x'), { code: 'draining' });
  await t.rejects(sender.flush(), { code: 'draining' });
});

t.test('breaker changes are told', async (t) => {
  const { path, listener } = await listenForTest(t);
  const told = new Promise((resolve) => {
    void client(t, { path, onBreaker: (state, retryAfterMs) => resolve([state, retryAfterMs]) }).then(() =>
      listener.tellBreaker(0, 2, 750),
    );
  });
  t.strictSame(await told, [2, 750]);
});

t.test('a hello that is refused rejects with the code of the daemon', async (t) => {
  const { path } = await listenForTest(t, { connectionsMax: 1 });
  await t.rejects(connect({ path, stream: 'nowhere' }), { code: 'unknown_stream' });
  await t.rejects(connect({ path, ack: 'stream' }), { code: 'ack_level' });
  await client(t, { path });
  await t.rejects(connect({ path }), { code: 'too_many_connections', retryable: true });
});

t.test('a daemon that is not there, or does not speak, is an error with its cure', async (t) => {
  const path = join(temporaryDirectory(t), 'absent.sock');
  await t.rejects(connect({ path }), { code: 'daemon_unreachable', message: /is the daemon running/ });
  const { path: silent } = await serve(t, () => {});
  await t.rejects(connect({ path: silent, connectTimeoutMs: 20 }), { code: 'daemon_unreachable', message: /no hello/ });
  const { path: strange } = await serve(t, (socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'));
  await t.rejects(connect({ path: strange }), { code: 'bad_answer' });
});

t.test('an ack of what was never sent is not believed', async (t) => {
  const { path } = await serve(t, (socket) => {
    const answers = Buffer.alloc(8 + 12 + 8 + 8);
    writeHeader(answers, 0, 12, DaemonFrame.hello, 0, 0);
    writeCount(answers, 99, writeHeader(answers, 20, 8, DaemonFrame.ack, 0, 0));
    socket.write(answers);
  });
  const outcome = new Promise((resolve) => {
    void client(t, { path, onClose: resolve });
  });
  t.match(await outcome, { error: { code: 'bad_answer' }, first: 1, count: 0 });
});

/** A server that is no spillway. */
async function serve(t: Test, onConnection: (socket: Socket) => void): Promise<{ path: string; server: Server }> {
  const path = join(temporaryDirectory(t), 'other.sock');
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { path, server };
}
