/**
 * Senders that begin and do not go on, on the real listeners in one process.
 */
import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import t from 'tap';
import { encodeHello } from '../../src/ingress/frame-layout.ts';
import { Verdict } from '../../src/ingress/intake.ts';
import { judgementOf, readAnswers } from './http-answers.ts';
import { type HttpSender, listenHttpForTest, post } from './http-harness.ts';
import { eventually, listenForTest, RawSender } from './unix-harness.ts';

/** For a busy machine, which also runs the thousand senders. */
const slackMs = 5_000;

const nowUs = (): number => performance.now() * 1_000;
const hello = encodeHello('orders', 0);
/** The header of an event of 20 bytes, and half of those. */
const halfFrame = Buffer.concat([Buffer.from([20, 0, 0, 0, 1, 0, 1, 0]), Buffer.from('k123456789')]);

t.test(
  'a frame, a hello or a line that stalls in the middle ends its connection; who is idle between events stays',
  async (t) => {
    const { path, intake } = await listenForTest(t, { nowUs, stallTimeoutMs: 300, lines: { lineBytesMax: 100 } });
    const connect = (frames: boolean): RawSender => {
      const made = new RawSender(path, frames);
      t.teardown(() => made.socket.destroy());
      return made;
    };
    const idle = [connect(true), connect(false), connect(false)] as const;
    idle[0].socket.write(hello);
    idle[1].socket.write('one\n');
    const stalled = [hello.subarray(0, 5), Buffer.concat([hello, halfFrame])].map((bytes) => {
      const one = connect(true);
      one.socket.write(bytes);
      return one;
    });
    const lines = ['a line', 'x'.repeat(200)].map((bytes) => {
      const one = connect(false);
      one.socket.write(bytes);
      return one;
    });
    const dripping = connect(false);
    const drip = setInterval(() => dripping.socket.write('.'), 20);
    await Promise.all([...stalled, ...lines, dripping].map((one) => one.end()));
    clearInterval(drip);
    for (const { text } of [...lines, dripping]) t.match(text, /"error":"stalled".*"retryable":true/);
    for (const { told } of stalled) t.match(told, { errors: ['stalled'] });
    idle[1].socket.write('two\n');
    idle[2].socket.write('three\n');
    await eventually(() => intake.offered.length === 3);
    t.notOk(idle.some(({ ended }) => ended));
  },
);

t.test('an event that comes slowly for want of room at the daemon does not stall', async (t) => {
  const { path, intake } = await listenForTest(t, { nowUs, stallTimeoutMs: 100, lines: {} });
  intake.verdict = () => Verdict.blocked;
  const one = new RawSender(path, false);
  t.teardown(() => one.socket.destroy());
  one.socket.write('one\n');
  await eventually(() => intake.waiting === 1);
  const sinceMs = performance.now();
  await eventually(() => performance.now() - sinceMs > 500);
  t.notOk(one.ended);
  intake.verdict = () => Verdict.ring;
  intake.makeRoom();
  await one.until(() => one.text.includes('"accepted":1'));
});

t.test(
  '1,000 slow or half-open connections are closed in their time, and an honest sender hardly notices',
  async (t) => {
    const stallTimeoutMs = 2_000;
    const limits = { connectionsMax: 2_000, stallTimeoutMs, headersTimeoutMs: 2_000, nowUs };
    const { sender, listener } = await listenHttpForTest(t, limits);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    t.teardown(() => agent.destroy());
    const ask = async (): Promise<number> => {
      const startMs = performance.now();
      const outgoing = request(`${listener.address}/v1/streams/orders/events`, { method: 'POST', agent });
      outgoing.end('one\n');
      const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
      await once(answer.resume(), 'end');
      return performance.now() - startMs;
    };
    const p99 = async (): Promise<number> => {
      const tookMs: number[] = [];
      for (let i = 0; i < 200; i++) tookMs.push(await ask());
      return tookMs.sort((a, b) => a - b)[197] as number;
    };
    await p99();
    const aloneMs = await p99();
    const whole = post(`one\n${'x'.repeat(50)}`);
    const beginnings = [
      '',
      'POST /v1/str',
      'POST / HTTP/1.1\r\nhost: h',
      whole.subarray(0, -40),
      whole.subarray(0, -1),
    ];
    const slow: HttpSender[] = Array.from({ length: 1_000 }, (_, i) => {
      const one = sender();
      one.socket.write(beginnings[i % beginnings.length] ?? '');
      return one;
    });
    await eventually(() => listener.stats.connectionsOpen > 1_000);
    const startMs = performance.now();
    const besideMs = await p99();
    const measuredMs = performance.now() - startMs;
    await Promise.all(slow.map((one) => one.end()));
    const closedMs = performance.now() - startMs;
    t.comment(
      `p99 ${besideMs.toFixed(2)} ms beside them, ${aloneMs.toFixed(2)} alone; measured for ${Math.round(measuredMs)} ms`,
    );
    t.ok(closedMs <= stallTimeoutMs + slackMs, `closed after ${Math.round(closedMs)} ms`);
    // Both are a millisecond or two; a floor keeps a busy machine's noise out.
    t.ok(
      besideMs <= 2 * Math.max(aloneMs, 10),
      `p99 ${besideMs.toFixed(2)} ms beside them, ${aloneMs.toFixed(2)} alone`,
    );
    t.match(judgementOf(readAnswers((slow[3] as HttpSender).bytes, true)[0]), {
      error: 'stalled',
      accepted: 1,
      taken: 1,
    });
    t.ok((await ask()) > 0, 'the honest one is served on');
  },
);
