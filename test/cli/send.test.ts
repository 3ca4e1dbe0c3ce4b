/**
 * Claims about `spillway send`. Each stands for itself.
 *
 * Long because it is a list of claims.
 */
import { EventEmitter, once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import t, { type Test } from 'tap';
import { command } from '../../src/cli/send.ts';
import { Verdict } from '../../src/ingress/intake.ts';
import { listenForTest, temporaryDirectory } from '../ingress/unix-harness.ts';

/** A process of the command's own: what it reads, prints, and how it is interrupted. */
class Surroundings extends EventEmitter {
  readonly stdin = new PassThrough();
  readonly stdout = new PassThrough();
  readonly stderr: PassThrough & { isTTY?: boolean; columns?: number } = new PassThrough();
  env: Record<string, string> = {};

  run(...words: string[]): Promise<unknown> {
    const made = command(this).exitOverride();
    made.configureOutput({ writeErr: () => {} });
    return made.parseAsync(words, { from: 'user' });
  }
  get summary(): Record<string, unknown> {
    return JSON.parse(String(this.stdout.read())) as Record<string, unknown>;
  }
}

function file(t: Test, text: string): string {
  const path = join(temporaryDirectory(t), 'events.ndjson');
  writeFileSync(path, text);
  return path;
}

t.test('every line of files and stdin becomes an event, in order, with a random key', async (t) => {
  const { path, intake } = await listenForTest(t);
  const around = new Surroundings();
  around.stdin.end('three\r\n\nfour');
  await around.run('--to', path, '--json', file(t, 'one\ntwo\n'), '-');
  t.strictSame(
    intake.offered.map(({ data }) => data),
    ['one', 'two', 'three', 'four'],
  );
  t.equal(intake.offered[0]?.key, 'R'.repeat(16), 'the daemon chose the key');
  t.match(around.summary, { events: 4, bytes: 15, accepted: 4, refused: 0, refusedByCode: {}, unknown: 0 });
});

t.test('lines that span chunks of the input stay whole', async (t) => {
  const { path, intake } = await listenForTest(t);
  const around = new Surroundings();
  const sent = around.run('--to', path);
  for (const piece of ['ab', 'c\nde', 'f', '\n\ng', 'h\n']) {
    around.stdin.write(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
  around.stdin.end();
  await sent;
  t.strictSame(
    intake.offered.map(({ data }) => data),
    ['abc', 'def', 'gh'],
  );
  t.match(String(around.stderr.read()), /^3 events, 8 bytes in .* s \(\d+\/s\); 3 accepted; 0 refused\n$/);
});

t.test('--key takes the key from a field, and counts lines without one as refused', async (t) => {
  const { path, intake } = await listenForTest(t);
  const around = new Surroundings();
  around.env = { SPILLWAY_SOCKET: path };
  around.stdin.end('{"user":{"id":"u1"}}\n{"user":{"id":7}}\n{"user":{}}\nnonsense\n{"user":{"id":""}}\n');
  await t.rejects(around.run('--key', 'user.id', '--stream', 'clicks', '--json'), { code: 'events_refused' });
  t.strictSame(
    intake.offered.map(({ stream, key }) => [stream, key]),
    [
      [1, 'u1'],
      [1, '7'],
    ],
  );
  t.match(around.summary, { events: 5, accepted: 2, refused: 3, refusedByCode: { missing_key: 2, bad_json: 1 } });
});

t.test('a refused event is sent again when that can help, until it is taken', async (t) => {
  const { path, intake } = await listenForTest(t);
  intake.retryAfterMs = () => 1;
  const refusals = new Map<string, number>();
  intake.verdict = ({ data }) => {
    const before = refusals.get(data) ?? 0;
    refusals.set(data, before + 1);
    return data !== 'two' || before === 3 ? Verdict.ring : Verdict.saturated;
  };
  const around = new Surroundings();
  around.stdin.end('one\ntwo\nthree\n');
  await around.run('--to', path, '--json', '--wait');
  t.match(around.summary, { events: 3, accepted: 3, refused: 0, resent: 3 });
});

t.test('--retries bounds how often; the summary counts what was refused for good by code', async (t) => {
  const { path, intake } = await listenForTest(t);
  intake.retryAfterMs = () => 1;
  intake.verdict = ({ data }) =>
    data === 'no' ? Verdict.saturated : data === 'never' ? Verdict.eventTooLarge : Verdict.ring;
  const around = new Surroundings();
  around.stdin.end('yes\nno\nnever\n');
  await t.rejects(around.run('--to', path, '--json', '--retries', '2'), { code: 'events_refused', message: /2 of 3/ });
  t.match(around.summary, { accepted: 1, refused: 2, refusedByCode: { saturated: 1, event_too_large: 1 }, resent: 2 });
  t.equal(intake.offered.filter(({ data }) => data === 'no').length, 3);
  t.equal(intake.offered.filter(({ data }) => data === 'never').length, 1);
});

t.test('more events than the window holds all arrive', async (t) => {
  const { path, intake } = await listenForTest(t);
  const around = new Surroundings();
  const line = 'x'.repeat(1_000);
  const count = 12_000;
  await around.run('--to', path, '--json', file(t, `${line}\n`.repeat(count)));
  t.equal(intake.offered.length, count);
  t.match(around.summary, { events: count, accepted: count });
});

t.test('--rate holds the pace', async (t) => {
  const { path } = await listenForTest(t);
  const around = new Surroundings();
  around.stdin.end('x\n'.repeat(100));
  await around.run('--to', path, '--rate', '1000/s', '--json');
  const { seconds, accepted } = around.summary;
  t.equal(accepted, 100);
  t.ok(Number(seconds) >= 0.085, `100 events at 1000/s took ${String(seconds)} s`);
});

t.test('Ctrl-C stops reading, waits for what is under way, and fails with a summary', async (t) => {
  const { path } = await listenForTest(t);
  const around = new Surroundings();
  const sent = around.run('--to', path, '--json');
  around.stdin.write('one\ntwo\n');
  while (around.listenerCount('SIGINT') === 0) await new Promise((resolve) => setImmediate(resolve));
  while (around.stdin.readableLength > 0) await new Promise((resolve) => setImmediate(resolve));
  around.emit('SIGINT');
  await t.rejects(sent, { code: 'interrupted' });
  t.match(around.summary, { events: 2, accepted: 2 });
  t.equal(around.listenerCount('SIGINT'), 0);
});

t.test('a second Ctrl-C does not wait for a daemon that blocks', async (t) => {
  const { path, intake } = await listenForTest(t);
  intake.verdict = () => Verdict.blocked;
  const around = new Surroundings();
  around.stdin.end('one\ntwo\n');
  const sent = around.run('--to', path, '--json');
  while (intake.waiting === 0) await new Promise((resolve) => setImmediate(resolve));
  around.emit('SIGINT');
  around.emit('SIGINT');
  await t.rejects(sent, { code: 'interrupted' });
  t.match(around.summary, { events: 2, accepted: 0, unknown: 2 });
});

t.test('a daemon that goes away in the middle is a failure that counts what is unknown', async (t) => {
  const { path, intake, listener } = await listenForTest(t);
  intake.verdict = () => Verdict.blocked;
  const around = new Surroundings();
  around.stdin.end('one\ntwo\n');
  const sent = around.run('--to', path, '--json');
  sent.catch(() => {});
  while (intake.waiting === 0) await new Promise((resolve) => setImmediate(resolve));
  await listener.close({ drainMs: 1_000 });
  await t.rejects(sent, { code: 'draining' });
  t.match(around.summary, { events: 2, accepted: 0, unknown: 2 });
});

t.test('what cannot work is said with its cure', async (t) => {
  const absent = join(temporaryDirectory(t), 'absent.sock');
  const { path } = await listenForTest(t);
  const run = (...words: string[]) => new Surroundings().run(...words);
  await t.rejects(run('--to', absent), { code: 'daemon_unreachable', message: /is the daemon running/ });
  await t.rejects(run('--to', path, '/no/such/file'), { code: 'file_unreadable' });
  await t.rejects(run('--to', path, '--stream', 'nowhere'), { code: 'unknown_stream' });
  await t.rejects(run('--to', 'http://127.0.0.1:1'), { code: 'usage' });
  await t.rejects(run('--to', 'http://127.0.0.1:1', '--stream', 's', '--key', 'k'), { code: 'usage' });
  await t.rejects(run('--rate', 'fast'), { code: 'commander.invalidArgument' });
  await t.rejects(run('--retries', '-1'), { code: 'commander.invalidArgument' });
});

t.test('on a terminal a progress bar is drawn on stderr and taken away', async (t) => {
  const { path } = await listenForTest(t);
  const around = new Surroundings();
  around.stderr.isTTY = true;
  around.stderr.columns = 100;
  Object.assign(around.stderr, { cursorTo: () => true, clearLine: () => true, moveCursor: () => true });
  await around.run('--to', path, '--json', file(t, 'one\ntwo\n'));
  t.match(String(around.stderr.read()), /events/);
  t.match(around.summary, { accepted: 2 });
});

t.test('over HTTP what was not taken is sent again when the daemon said, to the millisecond', async (t) => {
  const bodies: string[] = [];
  const answers: [number, Record<string, string>, unknown][] = [
    [
      429,
      { 'retry-after': '600' },
      { retryAfterMs: 1, accepted: 1, refused: 1, taken: 1, errors: [{ line: 2, error: 'saturated', message: '' }] },
    ],
    [202, {}, { accepted: 2 }],
  ];
  const { origin, requests } = await serveHttp(t, bodies, answers);
  const around = new Surroundings();
  around.stdin.end('a\nb\nc\n');
  await around.run('--to', origin, '--stream', 'orders', '--json');
  t.strictSame(bodies, ['a\nb\nc\n', 'b\nc\n']);
  t.match(requests[0], { url: '/v1/streams/orders/events', method: 'POST', headers: { 'spillway-ack': 'memory' } });
  t.match(around.summary, { events: 3, accepted: 3, resent: 2, refused: 0 });
});

t.test('over HTTP refused lines are counted by their codes, and other answers are failures', async (t) => {
  const answers: [number, Record<string, string>, unknown][] = [
    [400, {}, { accepted: 1, refused: 1, errors: [{ line: 2, error: 'bad_json', message: 'no JSON' }] }],
    [404, {}, { error: 'unknown_stream', message: 'no such stream' }],
  ];
  const { origin } = await serveHttp(t, [], answers);
  const first = new Surroundings();
  first.stdin.end('a\nb\n');
  await t.rejects(first.run('--to', origin, '--stream', 'orders', '--json'), { code: 'events_refused' });
  t.match(first.summary, { accepted: 1, refused: 1, refusedByCode: { bad_json: 1 } });
  const second = new Surroundings();
  second.stdin.end('a\nb\n');
  await t.rejects(second.run('--to', origin, '--stream', 'orders', '--json'), { code: 'http_refused', message: /404/ });
  await t.rejects(new Surroundings().run('--to', await deadOrigin(), '--stream', 's', file(t, 'a\n')), {
    code: 'daemon_unreachable',
  });
});

/** An HTTP server that gives `answers` in turn. */
async function serveHttp(t: Test, bodies: string[], answers: [number, Record<string, string>, unknown][]) {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    if (request.method === 'GET') {
      response.end();
      return;
    }
    requests.push(request);
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      bodies.push(Buffer.concat(chunks).toString());
      const [status, headers, body] = answers.shift() ?? [500, {}, {}];
      response.writeHead(status, headers).end(JSON.stringify(body));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

/** An address where nobody listens: one that was just given back. */
async function deadOrigin(): Promise<string> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return `http://127.0.0.1:${port}`;
}
