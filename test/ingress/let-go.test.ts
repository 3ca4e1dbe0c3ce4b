/**
 * Connections whose events find no room for long, where the listener is told to let them go.
 */
import t from 'tap';
import { encodeEvent, encodeHello } from '../../src/ingress/frame-layout.ts';
import { Verdict } from '../../src/ingress/intake.ts';
import { judgementOf } from './http-answers.ts';
import { listenHttpForTest, post } from './http-harness.ts';
import { listenForTest, RawSender } from './unix-harness.ts';

const nowUs = (): number => performance.now() * 1_000;
const letGoAfterMs = 150;
const isGreedy = ({ data }: { data: string }): boolean => data.startsWith('greedy');
const judge = (event: { data: string }): Verdict => (isGreedy(event) ? Verdict.saturated : Verdict.ring);

t.test(
  'a connection without room is told overloaded behind all its answers; one whose events are taken stays',
  async (t) => {
    let letGo = 0;
    const { path, intake, listener } = await listenForTest(t, {
      nowUs,
      letGoAfterMs,
      onLetGo: () => letGo++,
      lines: {},
    });
    intake.verdict = judge;
    const frames = new RawSender(path);
    const [lines, modest] = [new RawSender(path, false), new RawSender(path, false)] as const;
    t.teardown(() => [frames, lines, modest].forEach(({ socket }) => socket.destroy()));
    frames.socket.write(encodeHello('orders', 0));
    let sent = 0;
    const feeding = setInterval(() => {
      frames.socket.write(encodeEvent(Buffer.from('k'), Buffer.from('greedy')));
      sent++;
      lines.socket.write('greedy\n');
      modest.socket.write('modest\n');
    }, 10);
    await Promise.all([frames.end(), lines.end()]);
    clearInterval(feeding);
    t.strictSame(frames.told.errors, ['overloaded']);
    const refused = frames.told.refusals.reduce((sum, { count }) => sum + count, 0);
    t.equal(frames.told.acks.at(-1), refused, 'each of its events is named in a refusal');
    t.ok(refused > 0 && refused <= sent, `${refused} of ${sent}`);
    t.match(lines.text, /"error":"overloaded".*"retryable":true/);
    t.notOk(modest.ended, 'who asks for little is let be');
    t.equal(letGo, 2);
    t.equal(listener.stats.connectionsLetGo, 2);
  },
);

t.test('a connection of HTTP is closed behind an answer that says when to come again', async (t) => {
  let letGo = 0;
  const { intake, sender } = await listenHttpForTest(t, { nowUs, letGoAfterMs, onLetGo: () => letGo++ });
  intake.verdict = judge;
  const one = sender();
  let asked = 0;
  while (!one.ended) {
    one.socket.write(post('greedy'));
    asked++;
    await one.until(() => one.answers.length === asked);
    if (one.answers.at(-1)?.headers['connection'] === 'close') await one.end();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const last = one.answers.at(-1);
  t.match({ status: last?.status, ...judgementOf(last) }, { status: 429, error: 'saturated', retryable: true });
  t.ok(asked > 1, `at answer ${asked}`);
  t.equal(letGo, 1);
});
