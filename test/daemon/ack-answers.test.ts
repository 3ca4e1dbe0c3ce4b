import { writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { spillway } from '../cli/spillway.ts';
import { drained, Rig, type RunningDaemon, until } from './running.ts';
import { eventsById } from './watched.ts';

// Daemons that cannot deliver are stopped here: they need not try for long.
process.env['SPILLWAY_DAEMON_DRAIN_TIMEOUT'] = '200ms';

interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** The rig's events [from, to) as lines. */
function lines(rig: Rig, from: number, to: number): string {
  return Array.from({ length: to - from }, (_, i) => `${rig.events.dataOf(from + i).toString()}\n`).join('');
}

async function post(daemon: RunningDaemon, body: string, headers: Record<string, string>): Promise<Answer> {
  const type = { 'content-type': 'application/x-ndjson' };
  const answer = await fetch(`${daemon.url}/v1/streams/orders/events`, {
    method: 'POST',
    body,
    headers: { ...type, ...headers },
  });
  return { status: answer.status, body: (await answer.json()) as Answer['body'] };
}

/** Sends `text` and ends its side; resolves with the daemon's lines when it ends its own. */
async function overSocket(path: string, text: string): Promise<Record<string, unknown>[]> {
  const socket = createConnection({ path, allowHalfOpen: true });
  socket.end(text);
  let heard = '';
  for await (const chunk of socket) heard += String(chunk);
  socket.destroy();
  return heard
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** `socketLines`: further options of a listener for lines of ack level `stream`. */
async function start(
  t: Test,
  stream = '',
  rest = '',
  socketLines = '',
): Promise<{ rig: Rig; daemon: RunningDaemon; socket: string }> {
  const rig = await Rig.start(t);
  const socket = join(rig.directory, 'lines.sock');
  const listener = `[[listen]]\nkind = "unix"\npath = "${socket}"\nack = "stream"\n${socketLines}\n`;
  return { rig, daemon: await rig.daemon(stream, `${rest}\n${listener}`), socket };
}

t.test('HTTP: with Spillway-Ack: stream the answer is 200 when Kinesis has all events, and says where', async (t) => {
  const { rig, daemon } = await start(t);
  await rig.simulator.faults({ latencyMs: 300 });
  const startMs = performance.now();
  const { status, body } = await post(daemon, lines(rig, 0, 200), {
    'spillway-ack': 'stream',
    'spillway-receipt': '1',
  });
  t.ok(performance.now() - startMs >= 300);
  const there = await eventsById(rig);
  t.equal(status, 200);
  const { receipts, ...counts } = body;
  t.strictSame(counts, {
    accepted: 200,
    refused: 0,
    spilled: 0,
    errors: [],
    delivered: 200,
    onDisk: 0,
    rejected: 0,
    pending: 0,
  });
  const expected = Array.from({ length: 200 }, (_, id) => {
    const { shardId, sequenceNumber, subSequence } = there.get(id) ?? {};
    return { shardId, sequenceNumber, subSequence };
  });
  t.strictSame(receipts, expected);
  const quick = await post(daemon, lines(rig, 200, 201), {});
  t.match(quick, { status: 202, body: { accepted: 1 } }, 'level memory does not wait');
  t.notOk('delivered' in quick.body);
  const empty = await post(daemon, '', { 'spillway-ack': 'stream' });
  t.match(empty, { status: 200, body: { accepted: 0, pending: 0 } }, 'there is nothing to wait for');
  t.equal(await daemon.stop(), 0);
});

t.test('HTTP: behind ack_timeout the answer is 202 and counts what is pending', async (t) => {
  const { rig, daemon } = await start(t, '', 'ack_timeout = "400ms"');
  await rig.simulator.faults({ latencyMs: 2_000 });
  const startMs = performance.now();
  const asked = { 'spillway-ack': 'stream', 'spillway-receipt': '1' };
  const { status, body } = await post(daemon, lines(rig, 0, 5), asked);
  const tookMs = performance.now() - startMs;
  t.ok(tookMs >= 400 && tookMs < 1_900, `answered after ${Math.round(tookMs)} ms`);
  t.equal(status, 202);
  t.match(body, { accepted: 5, delivered: 0, pending: 5 });
  t.strictSame(body['receipts'], [null, null, null, null, null]);
  await until(() => daemon.ledger(), drained(5));
  t.equal(await daemon.stop(), 0);
});

t.test('HTTP: events on disk are counted and named by their index, refused ones make it a 400', async (t) => {
  const { rig, daemon } = await start(
    t,
    '',
    'key_field = "id"\nmissing_key = "refuse"\n[breaker]\nfailures = 1\nhalf_open_after = "2s"',
  );
  await rig.simulator.faults({ refuse: true });
  await rig.send(daemon.socket, 0, 1);
  await daemon.line(({ kind, to }) => kind === 'breaker' && to === 'open');
  const asked = { 'spillway-ack': 'stream' };
  const first = await post(daemon, lines(rig, 1, 4), asked);
  t.match(first, { status: 202, body: { accepted: 3, spilled: 3, onDisk: 3, delivered: 0, pending: 0 } });
  t.match(first.body['undelivered'], [{ index: 0, count: 3, error: 'on_disk', retryable: false }]);
  const second = await post(daemon, `{"none":1}\n${lines(rig, 4, 5)}`, asked);
  t.match(second, { status: 400, body: { accepted: 1, refused: 1, onDisk: 1 } });
  t.match(second.body['undelivered'], [{ index: 1, error: 'on_disk' }]);
  await rig.simulator.faults({});
  await until(() => daemon.ledger(), drained(5));
  t.equal(await daemon.stop(), 0);
});

t.test('HTTP: a level that there is not, and receipts without the level, are refused with the cure', async (t) => {
  const { rig, daemon } = await start(t);
  const body = lines(rig, 0, 1);
  t.match(await post(daemon, body, { 'spillway-ack': 'tape' }), {
    status: 400,
    body: { error: 'ack_level', message: /is no ack level; use memory, disk or stream/ },
  });
  t.match(await post(daemon, body, { 'spillway-receipt': '1' }), { status: 400, body: { error: 'ack_level' } });
  t.equal((await daemon.ledger()).received, 0);
  t.equal(await daemon.stop(), 0);
});

t.test('a listener\'s ack = "stream" holds for requests that name no level', async (t) => {
  const { rig, daemon } = await start(t, '', 'ack = "stream"');
  t.match(await post(daemon, lines(rig, 0, 3), {}), { status: 200, body: { delivered: 3 } });
  t.match(await post(daemon, lines(rig, 3, 4), { 'spillway-ack': 'memory' }), { status: 202 });
  t.equal(await daemon.stop(), 0);
});

t.test('lines: totals count what is delivered, and half-closed senders get the last of them', async (t) => {
  const { rig, daemon, socket } = await start(t);
  await rig.simulator.faults({ latencyMs: 300 });
  const startMs = performance.now();
  const answers = await overSocket(socket, lines(rig, 0, 500));
  t.ok(performance.now() - startMs >= 300);
  t.strictSame(answers.at(-1), { accepted: 500, refused: 0, delivered: 500, onDisk: 0, rejected: 0 });
  t.match(answers[0], { delivered: 0 }, 'they were accepted before');
  t.equal((await eventsById(rig)).size, 500);
  t.strictSame(await overSocket(daemon.socket, lines(rig, 500, 501)), [{ accepted: 1, refused: 0 }]);
  t.equal(await daemon.stop(), 0);
});

t.test('more events than a window, in an outage, hold up neither lines nor requests', async (t) => {
  const { rig, daemon, socket } = await start(t, '', '[breaker]\nfailures = 1\nhalf_open_after = "2s"');
  await rig.simulator.faults({ refuse: true });
  await rig.send(daemon.socket, 0, 1);
  await daemon.line(({ kind, to }) => kind === 'breaker' && to === 'open');
  const count = 150_000;
  const text = '{"n":1}\n'.repeat(count);
  const sums = { accepted: count, onDisk: count, delivered: 0 };
  t.match((await overSocket(socket, text)).at(-1), sums);
  t.match(await post(daemon, text, { 'spillway-ack': 'stream' }), { status: 202, body: { ...sums, pending: 0 } });
  t.equal(await daemon.stop(), 0);
});

t.test('spillway send --ack stream ends when Kinesis has the lines, and counts those on disk', async (t) => {
  const { rig, daemon } = await start(t, '', '[breaker]\nfailures = 1\nhalf_open_after = "2s"');
  const file = join(rig.directory, 'events.jsonl');
  writeFileSync(file, lines(rig, 0, 300));
  await rig.simulator.faults({ latencyMs: 300 });
  const over = ['--ack', 'stream', '--json', file];
  const socket = await spillway(['send', '--to', daemon.socket, ...over]);
  t.equal((await eventsById(rig)).size, 300, 'they are there when it ends');
  const http = await spillway(['send', '--to', daemon.url, '--stream', 'orders', ...over]);
  await rig.simulator.faults({ refuse: true });
  await rig.send(daemon.socket, 0, 1);
  await daemon.line(({ kind, to }) => kind === 'breaker' && to === 'open');
  const onDisk = await spillway(['send', '--to', daemon.socket, ...over]);
  t.match(
    [socket, http, onDisk].map(({ code }) => code),
    [0, 0, 0],
  );
  t.match(JSON.parse(socket.stdout), { accepted: 300, onDisk: 0, pending: 0, refused: 0 });
  t.match(JSON.parse(http.stdout), { accepted: 300, onDisk: 0, pending: 0, refused: 0 });
  t.match(JSON.parse(onDisk.stdout), { accepted: 300, onDisk: 300, refused: 0 });
  t.equal(await daemon.stop(), 0);
});

t.test('a sender that waits for its events is not idle, one that waits for nothing is', async (t) => {
  const { rig, socket, daemon } = await start(t, '', '', 'idle_timeout = "150ms"');
  await rig.simulator.faults({ latencyMs: 600 });
  const waiting = createConnection({ path: socket });
  t.teardown(() => waiting.destroy());
  waiting.write(lines(rig, 0, 10));
  let heard = '';
  for await (const chunk of waiting) heard += String(chunk);
  const answers = heard.trim().split('\n');
  t.match(JSON.parse(answers.at(-2) ?? ''), { accepted: 10, delivered: 10 });
  t.match(JSON.parse(answers.at(-1) ?? ''), { error: 'idle_timeout' });
  t.equal(await daemon.stop(), 0);
});

t.test('HTTP: a sender that goes away while it waits costs nobody anything', async (t) => {
  const { rig, daemon } = await start(t);
  await rig.simulator.faults({ latencyMs: 600 });
  const body = lines(rig, 0, 100);
  const gone = fetch(`${daemon.url}/v1/streams/orders/events`, {
    method: 'POST',
    body,
    headers: { 'spillway-ack': 'stream', 'spillway-receipt': '1' },
    signal: AbortSignal.timeout(200),
  });
  await t.rejects(gone);
  t.match(await post(daemon, lines(rig, 100, 200), { 'spillway-ack': 'stream' }), { status: 200 });
  await until(() => daemon.ledger(), drained(200));
  t.equal(await daemon.stop(), 0);
});
