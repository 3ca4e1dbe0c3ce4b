import { readFileSync } from 'node:fs';
import { connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { ListShardsCommand } from '@aws-sdk/client-kinesis';
import t, { type Test } from 'tap';
import { fastReadWorks } from '../../src/simulator/fast-read.ts';
import { clientFor, failureOf, simulatorFor } from './peers.ts';

const plain = await simulatorFor(t);
const secure = await simulatorFor(t, { tls: true });
const ca = readFileSync(secure.caFile ?? '');
const listShards = new ListShardsCommand({ StreamName: 'orders' });
const portOf = (url: string): number => Number(new URL(url).port);

/** A raw connection to the plain port, what came back on it, and a wait for some of that. */
function open(t: Test): { socket: Socket; until: (wanted: RegExp) => Promise<string>; ended: Promise<string> } {
  const socket = connect(portOf(plain.url), '127.0.0.1');
  t.teardown(() => socket.destroy());
  let text = '';
  const ended = new Promise<string>((resolve) => socket.on('close', () => resolve(text)));
  const until = (wanted: RegExp): Promise<string> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (wanted.test(text)) resolve(text);
      };
      socket.on('data', look);
      void ended.then(() => reject(new Error(`ended without ${wanted}: ${text}`)));
      look();
    });
  socket.on('data', (piece) => {
    text += piece.toString();
  });
  return { socket, until, ended };
}

const body = JSON.stringify({ StreamName: 'orders' });
const request = (headers = '', operation = 'DescribeStreamSummary', content = body): string =>
  `POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-amz-json-1.1\r\nx-amz-target: Kinesis_20131202.${operation}\r\n` +
  `x-amz-date: 20261124T000000Z\r\nauthorization: AWS4-HMAC-SHA256 Credential=a, SignedHeaders=b, Signature=c\r\n` +
  `content-length: ${content.length}\r\n${headers}\r\n${content}`;
const two = /HTTP\/1.1 200 OK[^]*StreamStatus[^]*HTTP\/1.1 200 OK[^]*StreamStatus/;

t.test('HTTP/1.1 keeps its connections: as many as there are requests at one time', async (t) => {
  const before = (await plain.stats()).connections.opened;
  const client = clientFor(t, plain, 'http1');
  for (let i = 0; i < 10; i++) await client.send(listShards);
  t.equal((await plain.stats()).connections.opened - before, 1);
});

t.test('HTTP/2 on one session answers requests side by side, and in parts', async (t) => {
  const before = (await plain.stats()).connections.opened;
  const client = clientFor(t, plain, 'http2');
  const answers = await Promise.all(Array.from({ length: 40 }, () => client.send(listShards)));
  t.ok(answers.every(({ Shards }) => Shards?.length === 3));
  t.equal((await plain.stats()).connections.opened - before, 1);
});

t.test('the connections opened are counted, which shows what the default client does', async (t) => {
  const before = (await plain.stats()).connections.opened;
  const client = clientFor(t, plain, 'default');
  for (let i = 0; i < 5; i++) await client.send(listShards);
  t.equal((await plain.stats()).connections.opened - before, 5);
});

t.test(
  'TLS offers h2 and http/1.1, and its certificate is good for localhost and both loopback addresses',
  async (t) => {
    for (const [ALPNProtocols, chosen] of [
      [['h2', 'http/1.1'], 'h2'],
      [['http/1.1'], 'http/1.1'],
      [undefined, false],
    ] as const) {
      for (const servername of ['localhost', '']) {
        const protocol = await new Promise((resolve, reject) => {
          const options = { port: portOf(secure.url), host: '127.0.0.1', ca, servername };
          const alpn = ALPNProtocols === undefined ? {} : { ALPNProtocols: [...ALPNProtocols] };
          const socket = connectTls({ ...options, ...alpn }, () => {
            resolve(socket.alpnProtocol);
            socket.destroy();
          });
          socket.on('error', reject);
        });
        t.equal(protocol, chosen);
      }
    }
  },
);

t.test('who does not trust the certificate is not served, and the others go on', async (t) => {
  const client = clientFor(t, { url: secure.url, caFile: undefined });
  t.match(await failureOf(client.send(listShards)), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
  const trusting = clientFor(t, secure);
  t.equal((await trusting.send(listShards)).Shards?.length, 3);
});

t.test('requests sent ahead are answered in their order', async (t) => {
  const { socket, until } = open(t);
  socket.write(request('', 'DescribeStreamSummary') + request('', 'NoSuchOperation') + request());
  t.match(await until(/StreamStatus[^]*Unknown[^]*StreamStatus/), /^HTTP\/1.1 200 OK[^]* 400 Bad Request[^]* 200 OK/);
});

t.test('a request may arrive byte by byte', async (t) => {
  const { socket, until } = open(t);
  socket.setNoDelay(true);
  for (const character of request()) {
    socket.write(character);
    await new Promise(setImmediate);
  }
  t.match(await until(/StreamStatus/), /^HTTP\/1.1 200 OK/);
});

t.test('whoever expects 100-continue is told to go on', async (t) => {
  const { socket, until } = open(t);
  const whole = request('expect: 100-continue\r\n');
  socket.write(whole.slice(0, -body.length));
  t.equal(await until(/\r\n\r\n$/), 'HTTP/1.1 100 Continue\r\n\r\n');
  socket.write(body);
  await until(/HTTP\/1.1 200 OK[^]*StreamStatus/);
});

t.test('connection: close is honoured, and without it the connection stays', async (t) => {
  const stays = open(t);
  stays.socket.write(request());
  await stays.until(/StreamStatus/);
  stays.socket.write(request());
  await stays.until(two);
  const closes = open(t);
  closes.socket.write(request('connection: close\r\n'));
  t.match(await closes.ended, /connection: close\r\n[^]*StreamStatus/);
});

t.test('what is no request of the HTTP that is spoken here is refused, and the connection ended', async (t) => {
  for (const [sent, status] of [
    ['hello\r\n\r\n', '400 Bad Request'],
    ['POST / HTTP/1.1\r\nno colon\r\n\r\n', '400 Bad Request'],
    ['POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n', '411 Length Required'],
    [`POST / HTTP/1.1\r\nx: ${'y'.repeat(70_000)}`, '431 Request Header Fields Too Large'],
  ] as const) {
    const { socket, ended } = open(t);
    socket.write(sent);
    t.match(await ended, new RegExp(`^HTTP/1.1 ${status}\r\n`), status);
  }
});

t.test('every answer has a date, a request identifier of its own, and its length', async (t) => {
  const session = connectHttp2(plain.url);
  t.teardown(() => session.close());
  const ids = new Set<unknown>();
  for (let i = 0; i < 3; i++) {
    const stream = session.request({ ':method': 'POST', 'content-type': 'application/x-amz-json-1.1' });
    const headers = await new Promise<IncomingHttpHeaders>((resolve) => {
      stream.on('response', resolve);
      stream.end('{}');
      stream.resume();
    });
    t.ok(Math.abs(Date.parse(String(headers['date'])) - Date.now()) < 60_000);
    t.match(headers['content-length'], /^\d+$/);
    ids.add(headers['x-amzn-requestid']);
  }
  t.equal(ids.size, 3);
});

t.test('clients that go away in the middle leave nothing behind', async (t) => {
  const { connections } = await plain.stats();
  for (const part of ['', 'P', request().slice(0, 100), request().slice(0, -5), 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n']) {
    const { socket } = open(t);
    await new Promise<void>((resolve) => socket.write(part || 'P', () => resolve()));
    socket.resetAndDestroy();
  }
  const deadline = performance.now() + 10_000;
  let now = await plain.stats();
  while (now.connections.open > connections.open && performance.now() < deadline) now = await plain.stats();
  // Connections of earlier tests may have gone in the meantime, too.
  t.ok(now.connections.open <= connections.open, `${now.connections.open} open, ${connections.open} before`);
  t.equal((await clientFor(t, plain).send(listShards)).Shards?.length, 3);
});

t.test('this version of Node lets accepted sockets be read into memory of ours', async (t) => {
  t.equal(fastReadWorks, true, 'src/simulator/fast-read.ts: find how Node names the buffer of a socket now');
});
