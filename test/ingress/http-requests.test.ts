/**
 * The HTTP listener on real connections, claim by claim: which request gets which answer.
 *
 * Long because it is a list of claims.
 */
import t from 'tap';
import { encodeBare, encodeEvent, encodeHello, SenderFrame } from '../../src/ingress/frame-layout.ts';
import { judgementOf, readAnswers } from './http-answers.ts';
import { framesType, jsonType, listenHttpForTest, post, postChunks } from './http-harness.ts';

const event = (key: string, data: string) => encodeEvent(Buffer.from(key), Buffer.from(data));
const bare = (line: string, ...headers: string[]) => `${[line, 'host: here', ...headers].join('\r\n')}\r\n\r\n`;

t.test('202 counts the events of a body of lines, whatever a plain sender calls it', async (t) => {
  const { intake, ask } = await listenHttpForTest(t);
  const types = ['application/x-ndjson', 'application/ndjson', 'text/plain; charset=utf-8', 'Text/Plain', ''];
  for (const type of [...types, 'application/x-www-form-urlencoded']) {
    const [answer] = await ask(post('{"a":1}\r\n\nthree', type === '' ? [] : [`content-type: ${type}`]));
    t.equal(answer?.status, 202, type);
    t.strictSame(judgementOf(answer), { accepted: 2, refused: 0, spilled: 0, errors: [] });
  }
  t.equal(intake.offered.length, 12);
});

t.test('400 names each bad line, its cause, and takes the others', async (t) => {
  const { intake, ask } = await listenHttpForTest(t, { keyField: 'id', missingKey: 'refuse' });
  const [answer] = await ask(post('{"id":"a"}\nbad\n\n{"x":1}\n{"id":"b"}'));
  t.equal(answer?.status, 400);
  t.match(judgementOf(answer), {
    accepted: 2,
    refused: 2,
    errors: [
      { line: 2, error: 'bad_json', message: /not valid JSON/, retryable: false },
      { line: 4, error: 'missing_key', message: /key field is absent/, retryable: false },
    ],
  });
  t.strictSame(
    intake.offered.map(({ key }) => key),
    ['a', 'b'],
  );
});

t.test('404 names an unknown stream, 404 an unknown path, 405 the methods that a path takes', async (t) => {
  const { intake, ask } = await listenHttpForTest(t);
  for (const name of ['nowhere', '%6ewhere', '%zz', 'orders%00']) {
    const [answer] = await ask(post('x', [], `/v1/streams/${name}/events`));
    t.match(
      { status: answer?.status, ...judgementOf(answer) },
      { status: 404, error: 'unknown_stream', message: /no \[\[stream\]\] named/ },
    );
  }
  t.equal(intake.refusedByListener.length, 4, 'the ledger knows of them');
  for (const path of ['/', '/v1/streams//events', '/v1/streams/orders', '/healthz/', '*', '//']) {
    const [answer] = await ask(bare(`GET ${path} HTTP/1.1`));
    t.match(
      { status: answer?.status, ...judgementOf(answer) },
      { status: 404, error: 'not_found', message: /POST \/v1\/streams/ },
      path,
    );
  }
  const methods: [string, string][] = [
    ['GET /v1/streams/orders/events', 'POST'],
    ['PUT /v1/streams/orders/events', 'POST'],
    ['OPTIONS /v1/streams/orders/events', 'POST'],
    ['POST /v1/status', 'GET, HEAD'],
    ['DELETE /healthz', 'GET, HEAD'],
  ];
  for (const [line, allow] of methods) {
    const [answer] = await ask(bare(`${line} HTTP/1.1`));
    t.match({ status: answer?.status, allow: answer?.headers['allow'] }, { status: 405, allow }, line);
  }
  t.equal(intake.offered.length, 0);
});

t.test('health, readiness and status answer GET, and HEAD without a body', async (t) => {
  let ready = false;
  const { ask, sender } = await listenHttpForTest(t, { ready: () => ready, status: () => ({ state: 'starting' }) });
  const get = async (path: string) => {
    const [answer] = await ask(bare(`GET ${path} HTTP/1.1`));
    return [answer?.status, JSON.parse(answer?.body ?? '')];
  };
  t.strictSame(await get('/healthz'), [200, { alive: true }]);
  t.strictSame(await get('/readyz'), [503, { ready: false }]);
  ready = true;
  t.strictSame(await get('/readyz?verbose=1'), [200, { ready: true }]);
  t.strictSame(await get('/v1/status'), [200, { state: 'starting' }]);
  const head = sender();
  head.socket.write(bare('HEAD /healthz HTTP/1.1') + bare('HEAD /v1/status HTTP/1.1', 'connection: close'));
  await head.end();
  const answers = readAnswers(head.bytes, true, [0, 1]);
  t.strictSame(
    answers.map(({ status }) => status),
    [200, 200],
  );
  t.equal(answers[0]?.headers['content-length'], '15', 'as GET would say');
});

t.test('Expect: 100-continue is answered before the body comes, and a refusal instead of it', async (t) => {
  const { intake, sender } = await listenHttpForTest(t);
  const one = sender();
  const request = post('one\n', ['expect: 100-continue']);
  one.socket.write(request.subarray(0, -4));
  t.equal((await one.answered(1))[0]?.status, 100);
  one.socket.write(request.subarray(-4));
  t.equal((await one.answered(2))[1]?.status, 202);
  t.equal(intake.offered.length, 1);
  const refused = sender();
  refused.socket.write(post('x', ['expect: 100-continue'], '/v1/streams/nowhere/events').subarray(0, -1));
  await refused.end();
  t.strictSame(
    refused.answers.map(({ status, headers }) => [status, headers['connection']]),
    [[404, 'close']],
  );
  const odd = sender();
  odd.socket.write(post('x', ['expect: the-unexpected']));
  t.equal((await odd.answered(1))[0]?.status, 417);
});

t.test('pipelined requests are answered in order on one connection, which stays open', async (t) => {
  const { intake, sender, listener } = await listenHttpForTest(t, { keyField: 'id', missingKey: 'refuse' });
  const one = sender();
  const requests = [
    post('{"id":"a"}'),
    bare('GET /healthz HTTP/1.1'),
    post('bad'),
    postChunks(['{"id"', ':"b"}']),
    post('[{"id":"c"}]', [jsonType]),
  ];
  one.socket.write(Buffer.concat(requests.map((request) => Buffer.from(request))));
  const answers = await one.answered(5);
  t.strictSame(
    answers.map(({ status }) => status),
    [202, 200, 400, 202, 202],
  );
  one.socket.write(post('{"id":"d"}'));
  t.equal((await one.answered(6))[5]?.status, 202);
  t.strictSame(intake.offered.map(({ key }) => key).sort(), ['a', 'b', 'c', 'd']);
  t.equal(listener.stats.requests, 6);
});

t.test('split at every byte, a request gets the same answer', async (t) => {
  const { intake, sender } = await listenHttpForTest(t, { keyField: 'id' });
  const request = postChunks(
    ['{"id":"a"}\r\nbad\n', '\n{"id":', '"b"}'],
    ['content-type: text/plain', 'spillway-ack: memory'],
  );
  const one = sender();
  for (let cut = 1; cut < request.length; cut += 1) {
    one.socket.write(request.subarray(0, cut));
    await new Promise((resolve) => setImmediate(resolve));
    one.socket.write(request.subarray(cut));
    const told = judgementOf((await one.answered(cut)).at(-1));
    if (told.accepted !== 2 || told.refused !== 1 || told.errors?.[0]?.line !== 2)
      t.fail(`cut at ${cut}: ${JSON.stringify(told)}`);
  }
  t.equal(intake.offered.length, 2 * (request.length - 1));
});

t.test('what the head asks and is not offered is refused with the cure', async (t) => {
  const { intake, ask } = await listenHttpForTest(t);
  const path = '/v1/streams/orders/events';
  const cases: [number, string, RegExp, string[], string?][] = [
    [415, 'content_type', /send application\/x-ndjson/, ['content-type: application/xml']],
    [415, 'content_type', /is not offered/, ['content-type: constructor']],
    [415, 'content_encoding', /send the body as it is/, ['content-encoding: gzip']],
    [400, 'ack_level', /use memory/, ['spillway-ack: tape']],
    [400, 'empty_key', /empty/, [], `${path}?key=`],
    [400, 'key_too_long', /256/, [], `${path}?key=${'k'.repeat(257)}`],
    [400, 'key_too_long', /256/, [], `${path}?key=${encodeURIComponent('😀'.repeat(129))}`],
    [400, 'key_not_utf8', /UTF-8/, ['spillway-partition-key: \u00ff\u00fe']],
  ];
  for (const [status, error, message, headers, to = path] of cases) {
    const bytes = Buffer.from(post('x', headers, to).toString(), 'latin1');
    const [answer] = await ask(bytes);
    t.match({ status: answer?.status, ...judgementOf(answer) }, { status, error, message, retryable: false }, error);
  }
  t.equal(intake.offered.length, 0);
});

t.test('?key= or Spillway-Partition-Key is the key of all events of a body', async (t) => {
  const { intake, ask } = await listenHttpForTest(t, { keyField: 'id' });
  await ask(post('{"id":"own"}\nnot json\n', [], '/v1/streams/orders/events?x=1&key=a%2Fb+c'));
  await ask(post('[1]', [jsonType, 'spillway-partition-key: header']));
  t.strictSame(
    intake.offered.map(({ key }) => key),
    ['a/b c', 'a/b c', 'header'],
  );
});

t.test('frames in a body are taken; bye may end them; their faults name the frame', async (t) => {
  const { intake, ask } = await listenHttpForTest(t);
  const hello = encodeHello('', 0);
  const told = async (...parts: Buffer[]) => {
    const [answer] = await ask(post(Buffer.concat(parts), [framesType]));
    return { status: answer?.status, ...judgementOf(answer) };
  };
  t.match(await told(hello, event('k', 'one'), event('', 'no key'), event('l', 'two')), {
    status: 400,
    accepted: 2,
    refused: 1,
    errors: [{ index: 1, error: 'empty_key' }],
  });
  t.match(await told(encodeHello('orders', 0), event('k', 'three'), encodeBare(SenderFrame.bye)), {
    status: 202,
    accepted: 1,
    refused: 0,
  });
  t.match(await told(hello, event('k', 'four'), Buffer.alloc(8, 0xee)), {
    status: 400,
    error: 'bad_frame',
    message: /behind event frame 1: /,
    accepted: 1,
  });
  t.match(await told(hello, event('k', 'five'), event('k', 'half').subarray(0, 10)), {
    status: 400,
    error: 'truncated',
    accepted: 1,
  });
  t.match(await told(event('k', 'x')), { status: 400, error: 'bad_hello', accepted: 0 });
  t.match(await told(encodeHello('clicks', 0), event('k', 'x')), {
    status: 400,
    error: 'unknown_stream',
    message: /another stream/,
    accepted: 0,
  });
  t.strictSame(
    intake.offered.filter(({ key }) => key !== '').map(({ stream, data }) => `${stream} ${data}`),
    ['0 one', '0 two', '0 three', '0 four', '0 five'],
  );
});

t.test('a request without HTTP/1.1 or without keep-alive is answered and its connection ended', async (t) => {
  const { sender } = await listenHttpForTest(t);
  for (const request of [bare('GET /healthz HTTP/1.0'), bare('GET /healthz HTTP/1.1', 'connection: close')]) {
    const one = sender();
    one.socket.write(request);
    await one.end();
    t.strictSame(
      readAnswers(one.bytes, true).map(({ status }) => status),
      [200],
    );
  }
});

t.test('a request that offers another protocol is served in this one, and its connection ended', async (t) => {
  const { sender, intake } = await listenHttpForTest(t);
  const one = sender();
  one.socket.write(post('one', ['connection: Upgrade, HTTP2-Settings', 'upgrade: h2c', 'http2-settings: AAMAAABk']));
  await one.end();
  t.match(readAnswers(one.bytes, true)[0], { status: 202, headers: { connection: 'close' } });
  t.equal(intake.offered.length, 1);
});

t.test('nothing is taken behind a request whose answer ends the connection', async (t) => {
  const { sender, intake } = await listenHttpForTest(t);
  const ending = [
    post('x', ['expect: 100-continue'], '/v1/streams/nowhere/events'),
    Buffer.from('GET /healthz HTTP/1.1\r\n\r\n'),
    bare('GET /healthz HTTP/1.0'),
    post('', ['connection: upgrade', 'upgrade: h2c']),
    post('', ['connection: keep-alive', 'upgrade: h2c']),
  ];
  for (const first of ending) {
    const one = sender();
    one.socket.write(Buffer.concat([Buffer.from(first), post('one\ntwo')]));
    await one.end();
    t.equal(readAnswers(one.bytes, true).length, 1);
  }
  t.equal(intake.offered.length, 0, 'what cannot be answered is not taken');
});

t.test('what is no HTTP, and CONNECT, is answered with its cause and the end', async (t) => {
  const { sender, listener } = await listenHttpForTest(t);
  const cases: [string, number][] = [
    ['nonsense\r\n\r\n', 400],
    ['{"user":"a"}\n', 400],
    [bare('GET /healthz HTTP/1.1', 'no header'), 400],
    [bare('POST /v1/streams/orders/events HTTP/1.1', 'content-length: 1', 'content-length: 2'), 400],
    [bare('POST /v1/streams/orders/events HTTP/1.1', 'content-length: -1'), 400],
    [bare('GET /healthz HTTP/1.1', `x: ${'x'.repeat(20_000)}`), 431],
    [bare('CONNECT example.com:443 HTTP/1.1'), 405],
    ['GET /healthz HTTP/1.1\r\n\r\n', 400],
  ];
  for (const [bytes, status] of cases) {
    const one = sender();
    one.socket.write(bytes);
    await one.end();
    t.strictSame(
      readAnswers(one.bytes, true).map((answer) => answer.status),
      [status],
      bytes.slice(0, 40),
    );
    one.socket.end();
    await one.closed;
  }
  t.equal(listener.stats.requestsOpen, 0);
});

t.test('nonsense behind a whole request does not change its answer', async (t) => {
  const { intake, sender } = await listenHttpForTest(t);
  const one = sender();
  one.socket.write(Buffer.concat([post('one\ntwo'), Buffer.from('nonsense\r\n\r\n')]));
  await one.end();
  t.equal(intake.offered.length, 2);
  t.match(one.answers[0], { status: 202 });
  t.match(judgementOf(one.answers[0]), { accepted: 2 });
});

t.test('a sender that is still writing when its connection is ended reads the answer nevertheless', async (t) => {
  const { sender } = await listenHttpForTest(t);
  for (const first of [post('one', ['connection: close']), 'nonsense\r\n\r\n', bare('GET /healthz HTTP/1.0')]) {
    const one = sender();
    one.socket.pause();
    one.socket.write(first);
    // What the daemon does not read must not cost the sender its answer.
    for (let index = 0; index < 50; index += 1) {
      one.socket.write('x'.repeat(1_000));
      await new Promise((resolve) => setImmediate(resolve));
    }
    one.socket.resume();
    await one.end();
    t.equal(readAnswers(one.bytes, true).length, 1);
    t.equal(one.socket.errored, null, 'no reset');
    one.socket.end();
    await one.closed;
  }
});

t.test('a sender that ends its side inside a body is told so, also when it offers another protocol', async (t) => {
  const { intake, sender } = await listenHttpForTest(t);
  for (const headers of [[], ['connection: upgrade', 'upgrade: websocket']]) {
    const one = sender();
    one.socket.end(postChunks(['one\n', 'two'], headers).subarray(0, -9));
    await one.closed;
    t.match(judgementOf(readAnswers(one.bytes, true)[0]), { error: 'bad_http', accepted: 1, nextLine: 2 });
  }
  t.equal(intake.offered.length, 2);
});

t.test('a fault in a pipelined request does not take along the answers to those before it', async (t) => {
  const { intake, sender } = await listenHttpForTest(t);
  const broken = Buffer.concat([postChunks(['two\n', 'three\n']).subarray(0, -5), Buffer.from('zz\r\n')]);
  const one = sender();
  one.socket.write(Buffer.concat([post('one'), broken]));
  await one.end();
  const answers = readAnswers(one.bytes, true).map((answer) => [answer.status, judgementOf(answer).accepted]);
  t.strictSame(answers, [
    [202, 1],
    [400, 2],
  ]);
  t.equal(intake.offered.length, 3);
});

t.test('a chunk that is none ends the request with what was taken before it', async (t) => {
  const { intake, sender } = await listenHttpForTest(t);
  const one = sender();
  const request = postChunks(['one\n', 'two\n']);
  one.socket.write(Buffer.concat([request.subarray(0, -5), Buffer.from('zz\r\nthree\n')]));
  await one.end();
  t.match(judgementOf(one.answers[0]), { error: 'bad_http', accepted: 2, taken: 2, nextLine: 3 });
  t.equal(intake.offered.length, 2);
});
