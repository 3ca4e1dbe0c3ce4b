import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import t from 'tap';
import { freshMs, Scrapes, unreadMax } from '../../src/ingress/scrapes.ts';
import { expositionType } from '../../src/observe/exposition.ts';
import { until } from '../daemon/running.ts';
import { listenHttpForTest } from './http-harness.ts';

const get = 'GET /metrics HTTP/1.1\r\nhost: here\r\n\r\n';

t.test('the page comes with the type of its format, and is made at most once a second', async (t) => {
  let made = 0;
  let nowMs = 5;
  const bench = await listenHttpForTest(t, { metrics: () => `made ${++made}\n`, nowMs: () => nowMs });
  const [first, second] = await bench.ask(get + get, 2);
  t.match(first, { status: 200, headers: { 'content-type': expositionType }, body: 'made 1\n' });
  t.match(second, { body: 'made 1\n' });
  nowMs += freshMs - 1;
  t.match(await bench.ask(get), [{ body: 'made 1\n' }]);
  nowMs += 1;
  t.match(await bench.ask(get), [{ body: 'made 2\n' }]);
  t.match(await bench.ask(get.replace('GET', 'POST')), [{ status: 405, headers: { allow: 'GET, HEAD' } }]);
});

t.test('scrapers that do not read are told to wait beyond the limit, and forgotten when they are gone', async (t) => {
  // More than the buffers of both sockets take.
  const page = 'x'.repeat(16 * 1024 * 1024);
  const bench = await listenHttpForTest(t, { metrics: () => page, connectionsMax: 64 });
  const lazy = Array.from({ length: unreadMax }, () => bench.sender().socket);
  for (const socket of lazy) socket.pause().write(get);
  await until(
    async () => bench.listener.stats.requests,
    (requests) => requests === unreadMax,
  );
  const url = `${bench.listener.address}/metrics`;
  const refused = await fetch(url);
  t.match({ status: refused.status, retryAfter: refused.headers.get('retry-after') }, { status: 503, retryAfter: '1' });
  t.match(await refused.json(), { error: 'too_many_scrapes', retryable: true });
  for (const socket of lazy) socket.destroy();
  const head = async (): Promise<number> => (await fetch(url, { method: 'HEAD' })).status;
  t.equal(await until(head, (status) => status === 200), 200);
});

t.test('each answer is forgotten once, when it is out or when its connection is gone', async (t) => {
  const scrapes = new Scrapes(
    () => 'page\n',
    () => 0,
  );
  const socket = new EventEmitter();
  const ask = (): { status: number; response: EventEmitter } => {
    const response = new EventEmitter();
    const { status } = scrapes.answer({ socket } as unknown as IncomingMessage, response as unknown as ServerResponse);
    return { status, response };
  };
  const [first] = Array.from({ length: unreadMax }, () => ask().response);
  t.equal(ask().status, 503);
  first?.emit('close');
  first?.emit('close');
  t.strictSame([ask().status, ask().status], [200, 503], 'there was room for one');
  socket.emit('close');
  t.strictSame(
    Array.from({ length: unreadMax }, () => ask().status),
    Array.from({ length: unreadMax }, () => 200),
  );
  t.equal(ask().status, 503);
  t.equal(socket.listenerCount('close'), unreadMax, 'a connection that is kept gathers no listeners');
});
