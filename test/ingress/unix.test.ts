/**
 * The unix listener on real sockets, claim by claim. Each claim makes its own feeder or socket.
 *
 * Long because it is a list of claims.
 */
import { once } from 'node:events';
import t from 'tap';
import { encodeBare, encodeEvent, encodeHello, SenderFrame } from '../../src/ingress/frame-layout.ts';
import { Verdict } from '../../src/ingress/intake.ts';
import { eventually, listenForTest, RawSender } from './unix-harness.ts';

const hello = encodeHello('', 0);
const event = (key: string, data: string | Buffer) => encodeEvent(Buffer.from(key), Buffer.from(data));

for (const adoptHandles of [true, false]) {
  const way = adoptHandles ? 'reading into the landing zone' : 'copying into the landing zone';

  t.test(`${way}: a half-closed sender gets all its answers, then the end`, async (t) => {
    const { path, intake, listener } = await listenForTest(t, { adoptHandles });
    const sender = new RawSender(path);
    const count = 3_000;
    sender.socket.write(hello);
    for (let index = 0; index < count; index += 1) sender.socket.write(event('k', `event ${index}`));
    sender.socket.end();
    await sender.closed;
    t.equal(sender.told.acks.at(-1), count);
    t.strictSame(sender.told.errors, []);
    t.strictSame(
      intake.offered.map(({ data }) => data),
      Array.from({ length: count }, (_, index) => `event ${index}`),
    );
    t.ok(sender.told.acks.length < count / 10, 'acks come per turn, not per event');
    await eventually(() => listener.stats.connectionsOpen === 0);
    t.match(listener.stats, { connectionsTotal: 1, eventsOffered: count, carryBytes: 0 });
  });

  t.test(`${way}: events larger than a read arrive whole, over many reads`, async (t) => {
    const { path, intake } = await listenForTest(t, { adoptHandles, readBytes: 1_024 });
    const sender = new RawSender(path);
    const data = Buffer.from(Array.from({ length: 50_000 }, (_, index) => index % 128));
    sender.socket.end(Buffer.concat([hello, event('a', data), event('b', 'small'), event('c', data)]));
    await sender.closed;
    t.equal(sender.told.acks.at(-1), 3);
    t.strictSame(
      intake.offered.map(({ data: got }) => got),
      [data.toString(), 'small', data.toString()],
    );
  });

  t.test(`${way}: a blocked sender is not read from until there is room, and loses nothing`, async (t) => {
    const { path, intake, listener } = await listenForTest(t, {
      adoptHandles,
      readBytes: 4_096,
      carryRoomBytes: 2_048,
      eventBytesMax: 2_000,
    });
    let room = 10;
    intake.verdict = () => (room-- > 0 ? Verdict.ring : Verdict.blocked);
    const sender = new RawSender(path);
    const count = 6_000;
    const frames = Array.from({ length: count }, (_, index) => event('k', `${index}`.padStart(200, '.')));
    sender.socket.end(Buffer.concat([hello, ...frames]));
    await eventually(() => intake.waiting === 1);
    const readWhenBlocked = listener.stats.bytesRead;
    await sender.until(() => sender.told.acks.at(-1) === 10);
    t.equal(listener.stats.bytesRead, readWhenBlocked, 'nothing more was read');
    t.ok(readWhenBlocked <= 4_096);
    for (let taken = 10; taken < count; taken += 700) {
      room = 700;
      intake.makeRoom();
      await eventually(() => intake.waiting === 1 || intake.offered.length === count);
    }
    await sender.closed;
    t.equal(sender.told.acks.at(-1), count);
    t.strictSame(
      intake.offered.map(({ data }) => Number(data.replaceAll('.', ''))),
      Array.from({ length: count }, (_, index) => index),
    );
  });
}

t.test('a sender that does not read its answers is not read from, and costs bounded memory', async (t) => {
  const { path, intake, listener } = await listenForTest(t);
  let count = 0;
  intake.verdict = () => (count++ % 2 === 0 ? Verdict.saturated : Verdict.ring);
  const sender = new RawSender(path);
  sender.socket.pause();
  const total = 60_000;
  const frames = Buffer.concat([hello, ...Array.from({ length: total }, () => event('k', ''))]);
  sender.socket.write(frames);
  let before = -1;
  // Stopped: a hundred turns of the loop without a byte read.
  for (let quiet = 0; quiet < 100; quiet = listener.stats.bytesRead === before ? quiet + 1 : 0) {
    before = listener.stats.bytesRead;
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.ok(intake.offered.length < total, `stopped after ${intake.offered.length} of ${total}`);
  t.ok(listener.stats.carryBytes <= 131_072, 'one read at most is kept');
  sender.socket.resume();
  await sender.until(() => sender.told.acks.at(-1) === total);
  t.equal(sender.told.refusals.length, total / 2);
  sender.socket.end();
  await sender.closed;
});

t.test('lines and frames of many connections do not mix', async (t) => {
  const { path, intake } = await listenForTest(t, { readBytes: 512 });
  const senders = Array.from({ length: 8 }, (_, index) => new RawSender(path, index % 2 === 0));
  const rounds = 40;
  for (const [index, { socket }] of senders.entries()) if (index % 2 === 0) socket.write(hello);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, { socket }] of senders.entries()) {
      const text = `${index}:${round}:${'x'.repeat((round * 37) % 400)}`;
      const bytes = index % 2 === 0 ? event('k', text) : Buffer.from(`${text}\n`);
      // Cut where it hurts: every connection has an unfinished event while the others are read.
      socket.write(bytes.subarray(0, bytes.length >> 1));
      await new Promise((resolve) => setImmediate(resolve));
      socket.write(bytes.subarray(bytes.length >> 1));
    }
  }
  for (const { socket } of senders) socket.end();
  await Promise.all(senders.map(({ closed }) => closed));
  for (const [index, sender] of senders.entries()) {
    const mine = intake.offered.filter(({ data }) => data.startsWith(`${index}:`)).map(({ data }) => data);
    t.strictSame(
      mine,
      Array.from({ length: rounds }, (_, round) => `${index}:${round}:${'x'.repeat((round * 37) % 400)}`),
    );
    if (index % 2 === 0) t.equal(sender.told.acks.at(-1), rounds);
    else t.ok(sender.text.endsWith(`ok ${rounds}\n`));
  }
  t.equal(intake.offered.length, senders.length * rounds);
});

t.test('a last line without its newline is taken when the sender ends', async (t) => {
  const { path, intake } = await listenForTest(t);
  const sender = new RawSender(path, false);
  sender.socket.end('one\ntwo');
  await sender.closed;
  t.strictSame(
    intake.offered.map(({ data }) => data),
    ['one', 'two'],
  );
  t.ok(sender.text.endsWith('ok 2\n'));
});

t.test('what a framer leaves of an ended connection does not keep it open', async (t) => {
  const { path, intake } = await listenForTest(t);
  const sender = new RawSender(path, false);
  sender.socket.end('one\n ');
  await sender.closed;
  t.strictSame(
    intake.offered.map(({ data }) => data),
    ['one'],
  );
});

t.test('the intake is committed once per read, not per event', async (t) => {
  const { path, intake } = await listenForTest(t);
  const sender = new RawSender(path);
  sender.socket.end(Buffer.concat([hello, ...Array.from({ length: 1_000 }, () => event('k', 'x'))]));
  await sender.closed;
  t.equal(intake.offered.length, 1_000);
  t.ok(intake.commits < 10, `${intake.commits} commits`);
});

t.test('the connection beyond the limit is told so and closed; the others go on', async (t) => {
  const { path, listener } = await listenForTest(t, { connectionsMax: 2 });
  const first = new RawSender(path);
  const second = new RawSender(path);
  first.socket.write(hello);
  second.socket.write(hello);
  await Promise.all([first, second].map((sender) => sender.until(() => sender.told.hellos.length === 1)));
  const third = new RawSender(path);
  third.socket.write(hello);
  await third.end();
  third.socket.destroy();
  t.strictSame(third.told.errors, ['too_many_connections']);
  t.match(listener.stats, { connectionsOpen: 2, connectionsTotal: 2, connectionsTurnedAway: 1 });
  second.socket.end();
  await second.closed;
  await eventually(() => listener.stats.connectionsOpen === 1);
  const fourth = new RawSender(path);
  fourth.socket.write(hello);
  await fourth.until(() => fourth.told.hellos.length === 1);
  for (const { socket } of [first, fourth]) socket.end();
});

t.test('a connection whose unfinished event exceeds what all may keep is told and closed', async (t) => {
  const { path, listener } = await listenForTest(t, { carryBytesMax: 30_000 });
  const big = event('k', Buffer.alloc(20_000));
  const first = new RawSender(path);
  first.socket.write(Buffer.concat([hello, big.subarray(0, 10_000)]));
  await eventually(() => listener.stats.carryBytes >= 20_000);
  const second = new RawSender(path);
  second.socket.write(Buffer.concat([hello, event('k', 'x'), big.subarray(0, 10_000)]));
  await second.end();
  second.socket.end();
  t.strictSame(second.told.errors, ['carry_full']);
  t.strictSame(second.told.acks, [1], 'what came before is acknowledged');
  first.socket.end(big.subarray(10_000));
  await first.closed;
  t.strictSame(first.told.acks.at(-1), 1);
});

t.test('a malformed frame ends its connection with an error while others go on', async (t) => {
  const { path } = await listenForTest(t);
  const good = new RawSender(path);
  const bad = new RawSender(path);
  good.socket.write(hello);
  bad.socket.write(Buffer.concat([hello, event('k', 'x'), Buffer.alloc(64, 0xee)]));
  await bad.end();
  t.strictSame(bad.told.errors, ['bad_frame']);
  t.strictSame(bad.told.acks, [1]);
  bad.socket.end();
  good.socket.end(event('k', 'x'));
  await Promise.all([good.closed, bad.closed]);
  t.strictSame(good.told.errors, []);
  t.equal(good.told.acks.at(-1), 1);
});

t.test('bye is answered by the last ack and the end', async (t) => {
  const { path } = await listenForTest(t);
  const sender = new RawSender(path);
  sender.socket.write(Buffer.concat([hello, event('k', 'x'), encodeBare(SenderFrame.bye)]));
  await sender.end();
  t.strictSame(sender.told.acks, [1]);
  sender.socket.end();
  await sender.closed;
});

t.test('a silent connection is told idle_timeout and closed', async (t) => {
  const { path, listener } = await listenForTest(t, { idleTimeoutMs: 40 });
  const sender = new RawSender(path);
  sender.socket.write(hello);
  await sender.end();
  t.strictSame(sender.told.errors, ['idle_timeout']);
  sender.socket.end();
  await eventually(() => listener.stats.connectionsOpen === 0);
});

t.test('close tells the connections draining and leaves nothing open, also with senders that do not go', async (t) => {
  const { path, listener, intake } = await listenForTest(t);
  const polite = new RawSender(path);
  const stubborn = new RawSender(path);
  for (const { socket } of [polite, stubborn]) socket.write(Buffer.concat([hello, event('k', 'x')]));
  await Promise.all([polite, stubborn].map((sender) => sender.until(() => sender.told.acks.at(-1) === 1)));
  polite.socket.once('end', () => polite.socket.end());
  await listener.close({ drainMs: 50 });
  await Promise.all([polite.end(), stubborn.end()]);
  for (const { told } of [polite, stubborn]) t.strictSame(told.errors, ['draining']);
  t.equal(listener.stats.connectionsOpen, 0);
  t.equal(listener.stats.carryBytes, 0);
  t.equal(intake.offered.length, 2);
  stubborn.socket.destroy();
  const late = new RawSender(path);
  const [error] = (await once(late.socket, 'error')) as [NodeJS.ErrnoException];
  t.equal(error.code, 'ENOENT', 'the socket file is gone');
});

t.test('a breaker change is told to the connections of its stream alone', async (t) => {
  const { path, listener } = await listenForTest(t);
  const orders = new RawSender(path);
  const clicks = new RawSender(path);
  orders.socket.write(encodeHello('orders', 0));
  clicks.socket.write(encodeHello('clicks', 0));
  await Promise.all([orders, clicks].map((sender) => sender.until(() => sender.told.hellos.length === 1)));
  listener.tellBreaker(1, 2, 500);
  await clicks.until(() => clicks.told.breakers.length === 1);
  t.strictSame(clicks.told.breakers, [[2, 500]]);
  orders.socket.end(event('k', 'x'));
  clicks.socket.end();
  await Promise.all([orders.closed, clicks.closed]);
  t.strictSame(orders.told.breakers, []);
});

t.test('a sender that breaks off leaves nothing behind', async (t) => {
  const { path, listener } = await listenForTest(t);
  for (let index = 0; index < 20; index += 1) {
    const sender = new RawSender(path);
    sender.socket.write(Buffer.concat([hello, event('k', 'x'), event('k', 'half').subarray(0, 9)]));
    await sender.until(() => sender.told.acks.at(-1) === 1);
    sender.socket.destroy();
  }
  await eventually(() => listener.stats.connectionsOpen === 0);
  t.match(listener.stats, { connectionsTotal: 20, carryBytes: 0 });
});
