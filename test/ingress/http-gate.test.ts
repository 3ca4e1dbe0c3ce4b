/**
 * A guarded HTTP listener on real connections: tokens, TLS, client certificates, and those who bring neither.
 */
import { once } from 'node:events';
import { type ConnectionOptions, connect } from 'node:tls';
import t, { type Test } from 'tap';
import { type ListenFiles, readListenFiles, tokenHash } from '../../src/edges/listen-files.ts';
import { HttpGate, type Intruder } from '../../src/ingress/http-gate.ts';
import { readAnswers } from './http-answers.ts';
import { type HttpBench, listenHttpForTest, post } from './http-harness.ts';
import { type PairFiles, pairIn, tokens } from './key-pairs.ts';
import { eventually, RawSender } from './unix-harness.ts';

interface Guarded extends HttpBench {
  readonly gate: HttpGate;
  readonly clock: { nowMs: number };
  readonly intruders: Intruder[];
}

async function guarded(t: Test, files: Partial<ListenFiles>, headersTimeoutMs = 10_000): Promise<Guarded> {
  const clock = { nowMs: 1_000_000 };
  const intruders: Intruder[] = [];
  const gate = new HttpGate({
    files: { tls: undefined, tokens: undefined, ...files },
    nowMs: () => clock.nowMs,
    onIntruder: (intruder) => intruders.push(intruder),
  });
  return { ...(await listenHttpForTest(t, { gate, headersTimeoutMs })), gate, clock, intruders };
}

function filesOf(server: PairFiles, clientCa?: PairFiles): ListenFiles {
  const { certFile, keyFile } = server;
  const reading = readListenFiles({ certFile, keyFile, clientCaFile: clientCa?.certFile });
  if (!reading.ok) throw new Error(JSON.stringify(reading.problems));
  return reading.files;
}

const bearer = (token: string): string => `authorization: Bearer ${token}`;
const get = (path: string, headers: readonly string[] = []): string =>
  `${[`GET ${path} HTTP/1.1`, 'host: here', ...headers].join('\r\n')}\r\n\r\n`;

/** Resolves when the daemon has ended the connection, in whatever way. */
const over = (sender: RawSender): Promise<void> => Promise.race([sender.end(), sender.closed]);

/** One request over TLS: the status, or the code of what went wrong. */
async function askTls(
  t: Test,
  port: number,
  options: ConnectionOptions,
  bytes: string | Buffer,
): Promise<number | string> {
  const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ...options });
  t.teardown(() => socket.destroy());
  const chunks: Buffer[] = [];
  return new Promise((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      const status = readAnswers(Buffer.concat(chunks))[0]?.status;
      if (status !== undefined) resolve(status);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.once('close', () => resolve('closed'));
    socket.write(bytes);
  });
}

t.test(
  'who sends none of the tokens is answered 401 on all paths but health, and nothing of it is taken',
  async (t) => {
    const { intake, ask, intruders, listener, gate } = await guarded(t, { tokens: tokens.map(tokenHash) });
    for (const path of ['/healthz', '/readyz']) t.equal((await ask(get(path)))[0]?.status, 200, path);
    const strangers: string[][] = [
      [],
      [bearer('')],
      [bearer(`${tokens[0]}x`)],
      [bearer(tokens[0].toLowerCase())],
      [`authorization: Basic ${tokens[0]}`],
      [bearer('x'), bearer(tokens[0])],
    ];
    for (const headers of strangers) {
      for (const bytes of [get('/v1/status', headers), get('/nowhere', headers), post('event', headers)]) {
        const [answer] = await ask(bytes);
        t.match(
          answer,
          { status: 401, headers: { 'www-authenticate': /^Bearer / }, body: /"unauthorized"/ },
          headers.join(),
        );
        t.notMatch(answer?.body, tokens[0]);
      }
    }
    t.equal(intake.offered.length, 0);
    t.equal(listener.stats.unauthorized, 18);
    t.match(intruders, [{ code: 'unauthorized', peer: /^127\.0\.0\.1:\d+$/, cause: 'no token', untold: 0 }]);
    t.equal(intruders.length, 1, 'one line for the episode');

    for (const token of tokens) t.equal((await ask(post('event', [bearer(token)])))[0]?.status, 202);
    t.equal((await ask(get('/v1/status', [`Authorization: bearer ${tokens[0]}`])))[0]?.status, 200);
    t.equal(intake.offered.length, 2);
    gate.renew({ tls: undefined, tokens: [tokenHash(tokens[1])] });
    t.equal(
      (await ask(post('event', [bearer(tokens[0])])))[0]?.status,
      401,
      'a token that was taken out is none at once',
    );
    t.equal((await ask(post('event', [bearer(tokens[1])])))[0]?.status, 202);
  },
);

t.test('an episode is told once, and with how many it had when the next begins', async (t) => {
  const { ask, intruders, clock } = await guarded(t, { tokens: tokens.map(tokenHash) });
  for (let minute = 0; minute < 5; minute++) {
    clock.nowMs += 59_999;
    await ask(get('/v1/status'));
  }
  clock.nowMs += 60_000;
  await ask(get('/v1/status', [bearer('wrong')]));
  t.match(intruders, [{ untold: 0 }, { untold: 4, cause: /not in token_file/ }]);
  t.equal(intruders.length, 2);
});

t.test(
  'over TLS it serves as without; other versions, plain HTTP and trickled handshakes are closed and counted',
  async (t) => {
    const server = await pairIn(t.testdir({}), 'server');
    const { listener, port, intake, intruders, clock } = await guarded(t, filesOf(server), 300);
    t.match(listener.address, /^https:/);
    const ca = { ca: server.cert };
    t.equal(await askTls(t, port, ca, post('one\ntwo\n')), 202);
    t.equal(await askTls(t, port, { ...ca, maxVersion: 'TLSv1.2' }, get('/v1/status')), 200);
    t.equal(intake.offered.length, 2);
    const old = { ...ca, minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    t.match(await askTls(t, port, old, get('/healthz')), /^E/, 'TLS 1.1 is none');
    const plain = new RawSender(port, false);
    plain.socket.write(post('in clear'));
    await over(plain);
    t.notMatch(plain.text, /HTTP/);
    const trickling = new RawSender(port, false);
    trickling.socket.write(Buffer.from([0x16]));
    const drops = setInterval(() => trickling.socket.write(Buffer.from([3])), 20);
    t.teardown(() => clearInterval(drops));
    const silent = new RawSender(port, false);
    await Promise.all([over(trickling), over(silent)]);
    clearInterval(drops);
    await eventually(() => listener.stats.handshakesFailed === 4);
    t.equal(intake.offered.length, 2, 'and nothing of it is taken');
    t.match(intruders, [{ code: 'tls_handshake', peer: /^127\.0\.0\.1:\d+$/, cause: /ERR_SSL/, untold: 0 }]);
    t.equal(intruders.length, 1);
    clock.nowMs += 60_000;
    const again = new RawSender(port, false);
    t.teardown(() => again.socket.destroy());
    again.socket.write('GET / HTTP/1.1\r\n\r\n');
    await over(again);
    await eventually(() => intruders.length === 2);
    t.match(intruders[1], { cause: 'plain HTTP where TLS is spoken', untold: 3 });
  },
);

t.test('the end of a listener does not wait for handshakes', async (t) => {
  const { listener, port } = await guarded(t, filesOf(await pairIn(t.testdir({}), 'server')), 3_600_000);
  const silent = new RawSender(port, false);
  t.teardown(() => silent.socket.destroy());
  await once(silent.socket, 'connect');
  await eventually(() => silent.socket.readyState === 'open');
  await Promise.all([listener.close({ drainMs: 3_600_000 }), over(silent)]);
  t.equal(listener.stats.handshakesFailed, 0);
});

t.test('a client certificate must come from the authority that is named', async (t) => {
  const directory = t.testdir({});
  const [server, client, stranger] = await Promise.all(
    ['server', 'client', 'stranger'].map((name) => pairIn(directory, name)),
  );
  const { listener, port, gate, intake } = await guarded(t, filesOf(server as PairFiles, client));
  const ca = { ca: server?.cert };
  const shown = (pair: PairFiles | undefined): ConnectionOptions => ({ ...ca, cert: pair?.cert, key: pair?.key });
  t.equal(await askTls(t, port, shown(client), post('event')), 202);
  t.type(await askTls(t, port, ca, post('event')), 'string');
  t.type(await askTls(t, port, shown(stranger), post('event')), 'string');
  await eventually(() => listener.stats.handshakesFailed === 2);
  t.equal(intake.offered.length, 1);

  const kept = connect({ port, host: '127.0.0.1', servername: 'localhost', ...shown(client) });
  t.teardown(() => kept.destroy());
  await once(kept, 'secureConnect');
  gate.renew(filesOf(stranger as PairFiles, stranger));
  t.equal(
    await askTls(t, port, { ...shown(stranger), ca: stranger?.cert }, post('event')),
    202,
    'new files hold for new connections',
  );
  t.type(await askTls(t, port, shown(client), post('event')), 'string');
  kept.write(get('/healthz'));
  const [chunk] = (await once(kept, 'data')) as [Buffer];
  t.match(chunk.toString(), /^HTTP\/1.1 200/, 'and connections that are open stay');
});
