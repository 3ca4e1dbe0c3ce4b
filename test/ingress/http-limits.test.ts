/**
 * The HTTP listener at its limits, on real connections: bodies, connections, time, room, readers that do not read.
 */
import t from 'tap';
import { Verdict } from '../../src/ingress/intake.ts';
import { judgementOf, readAnswers } from './http-answers.ts';
import { jsonType, listenHttpForTest, post, postChunks } from './http-harness.ts';
import { eventually } from './unix-harness.ts';

const get = 'GET /v1/status HTTP/1.1\r\nhost: here\r\n\r\n';

t.test('a body that says it is too large is answered 413 before it is read', async (t) => {
  const { intake, ask } = await listenHttpForTest(t, { bodyBytesMax: 1_000 });
  const [exactly] = await ask(post('x'.repeat(1_000)));
  t.equal(exactly?.status, 202);
  const [answer] = await ask(post('x'.repeat(1_001)).subarray(0, 200));
  t.match(
    { status: answer?.status, ...judgementOf(answer) },
    { status: 413, error: 'body_too_large', message: /1000 bytes/ },
  );
  t.equal(intake.offered.length, 1);
});

t.test('a chunked body that becomes too large is answered 413 with how many of its events were taken', async (t) => {
  const { intake, ask } = await listenHttpForTest(t, { bodyBytesMax: 1_000 });
  const line = `${'x'.repeat(99)}\n`;
  const [answer] = await ask(postChunks(Array<string>(13).fill(line)));
  t.match({ status: answer?.status, ...judgementOf(answer) }, { status: 413, accepted: 10, taken: 10, nextLine: 11 });
  t.equal(intake.offered.length, 10);
});

t.test('429 or 503 says when to come again and where to go on; nothing behind that event is taken', async (t) => {
  const cases: [Verdict, number, string][] = [
    [Verdict.saturated, 429, 'saturated'],
    [Verdict.streamUnavailable, 503, 'stream_unavailable'],
    [Verdict.dlqFull, 503, 'dlq_full'],
    [Verdict.draining, 503, 'draining'],
  ];
  for (const [verdict, status, error] of cases) {
    const { intake, ask } = await listenHttpForTest(t, { keyField: 'id', missingKey: 'refuse' });
    intake.verdict = ({ data }) => (data.includes('full') ? verdict : Verdict.ring);
    const [lines] = await ask(post('{"id":1}\nbad\n\n{"id":"full"}\n{"id":2}\n'));
    t.match(
      { status: lines?.status, ...judgementOf(lines) },
      { status, error, retryable: true, accepted: 1, refused: 2, taken: 2, nextLine: 4 },
    );
    t.match({ told: lines?.headers['retry-after'], ...judgementOf(lines) }, { told: '1', retryAfterMs: 250 });
    const [array] = await ask(post('[{"id":1},nope,{"id":"full"},{"id":2}]', [jsonType]));
    t.match({ status: array?.status, ...judgementOf(array) }, { status, taken: 2, accepted: 1 });
    t.notOk(intake.offered.some(({ key }) => key === '2'));
  }
});

t.test('a request that finds no room in its time is answered 503, one whose body does not come 408', async (t) => {
  const { intake, sender, listener } = await listenHttpForTest(t, { requestTimeoutMs: 150 });
  intake.verdict = ({ data }) => (data === 'two' ? Verdict.blocked : Verdict.ring);
  const blocked = sender();
  blocked.socket.write(post('one\ntwo\nthree'));
  const slow = sender();
  slow.socket.write(post('one\nthree and').subarray(0, -2));
  const [busy] = await blocked.answered(1);
  t.match(
    { status: busy?.status, ...judgementOf(busy) },
    { status: 503, error: 'saturated', accepted: 1, taken: 1, nextLine: 2 },
  );
  t.ok(Number(busy?.headers['retry-after']) >= 1);
  const [late] = await slow.answered(1);
  t.match(
    { status: late?.status, ...judgementOf(late) },
    { status: 408, error: 'request_timeout', accepted: 1, taken: 1 },
  );
  await eventually(() => listener.stats.requestsOpen === 0);
  t.equal(listener.stats.carryBytes, 0);
});

t.test('a sender that has ended its side gets its answer, also when the room for its events comes later', async (t) => {
  const { intake, sender } = await listenHttpForTest(t);
  let room = 1;
  intake.verdict = () => (room-- > 0 ? Verdict.ring : Verdict.blocked);
  const one = sender();
  one.socket.end(post('one\ntwo\nthree'));
  await eventually(() => intake.waiting === 1);
  room = 2;
  intake.makeRoom();
  await one.closed;
  t.match(judgementOf(readAnswers(one.bytes, true)[0]), { accepted: 3, refused: 0 });
});

t.test('a head that does not come is answered 408 and its connection closed', async (t) => {
  const { sender } = await listenHttpForTest(t, { headersTimeoutMs: 100, requestTimeoutMs: 100 });
  const half = sender();
  half.socket.write('POST /v1/streams/orders/events HTTP/1.1\r\nhost: h');
  const mute = sender();
  await Promise.all([half.end(), mute.end()]);
  t.match(judgementOf(readAnswers(half.bytes, true)[0]), { error: 'request_timeout' });
});

t.test('beyond the limit of connections a request is answered 503, and served once another has gone', async (t) => {
  const { sender, listener } = await listenHttpForTest(t, { connectionsMax: 2 });
  const [first, second] = [sender(), sender()];
  first.socket.write(get);
  second.socket.write(get);
  await Promise.all([first.answered(1), second.answered(1)]);
  const third = sender();
  third.socket.write(post('one'));
  await third.end();
  const [answer] = readAnswers(third.bytes, true);
  t.match(
    { status: answer?.status, ...judgementOf(answer) },
    { status: 503, error: 'too_many_connections', message: /at most 2/, retryable: true },
  );
  t.equal(answer?.headers['retry-after'], '1');
  third.socket.end();
  second.socket.destroy();
  await second.closed;
  let served = false;
  while (!served) {
    const again = sender();
    again.socket.write(post('one'));
    served = (await again.answered(1))[0]?.status === 202;
    again.socket.destroy();
  }
  t.ok(listener.stats.connectionsTurnedAway >= 1);
});

t.test('a connection that is idle between requests is closed', async (t) => {
  const { sender } = await listenHttpForTest(t, { idleTimeoutMs: 100 });
  const one = sender();
  one.socket.write(get);
  await one.end();
  t.equal(readAnswers(one.bytes, true)[0]?.status, 200);
});

t.test('a sender that never reads its answers is not read from, costs bounded memory, and is closed', async (t) => {
  let served = 0;
  const status = () => ({ served: ++served, padding: 'x'.repeat(1_000) });
  const { sender, listener } = await listenHttpForTest(t, { status, idleTimeoutMs: 400 });
  const one = sender();
  one.socket.pause();
  const total = 40_000;
  one.socket.write(get.repeat(total));
  await eventually(() => served > 100);
  await eventually(() => listener.stats.connectionsOpen === 0);
  t.ok(served < total / 2, `stopped after ${served} of ${total} requests`);
  t.equal(listener.stats.requestsOpen, 0);
});

t.test('unfinished events of all requests are bounded: one too many is answered 503', async (t) => {
  const { sender, listener } = await listenHttpForTest(t, { carryBytesMax: 30_000 });
  const first = sender();
  first.socket.write(post('x'.repeat(25_000)).subarray(0, 20_000));
  await eventually(() => listener.stats.carryBytes >= 19_000);
  const second = sender();
  second.socket.write(post(`one\n${'y'.repeat(25_000)}`).subarray(0, 20_000));
  const [answer] = await second.answered(1);
  t.match(
    { status: answer?.status, ...judgementOf(answer) },
    { status: 503, error: 'carry_full', accepted: 1, taken: 1, nextLine: 2 },
  );
  first.socket.destroy();
  await eventually(() => listener.stats.carryBytes === 0);
});

t.test('a sender that vanishes in the middle of a body leaves nothing behind; its whole lines are taken', async (t) => {
  const { intake, sender, listener } = await listenHttpForTest(t);
  for (let index = 0; index < 20; index += 1) {
    const one = sender();
    one.socket.write(post('one\nunfinished').subarray(0, -3));
    await eventually(() => intake.offered.length === index + 1);
    one.socket.destroy();
  }
  await eventually(() => listener.stats.requestsOpen === 0);
  t.equal(listener.stats.carryBytes, 0);
  t.strictSame([...new Set(intake.offered.map(({ data }) => data))], ['one']);
});

t.test('what is left of a body that nobody wants is dropped, and the connection serves on', async (t) => {
  const { sender } = await listenHttpForTest(t);
  const one = sender();
  one.socket.write(Buffer.concat([post('x'.repeat(150_000), ['content-type: image/png']), Buffer.from(get)]));
  t.strictSame(
    (await one.answered(2)).map(({ status }) => status),
    [415, 200],
  );
});
