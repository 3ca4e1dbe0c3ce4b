/**
 * What `spillway send` says of lines that were refused, over a unix socket and over HTTP, and what it says when it cannot begin.
 */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Verdict } from '../../src/ingress/intake.ts';
import { listenHttpForTest } from '../ingress/http-harness.ts';
import { listenForTest, temporaryDirectory } from '../ingress/unix-harness.ts';
import { spillway } from './spillway.ts';

function file(t: Test, text: string | Buffer): string {
  const path = join(temporaryDirectory(t), 'events.ndjson');
  writeFileSync(path, text);
  return path;
}

t.test('each refused line is named by file, number, code and cause; the others are sent', async (t) => {
  const { path, intake } = await listenForTest(t);
  intake.verdict = ({ data }) => (data.includes('large') ? Verdict.eventTooLarge : Verdict.ring);
  const lines = file(
    t,
    '\ufeff{"id":"a"}\r\n\nnonsense\n{"x":1}\n{"id":"large"}\n{"id":1e3}\n{"id":"b"} behind\n{"id":"last"}',
  );
  const { code, stderr } = await spillway(['send', '--to', path, '--key', 'id', lines]);
  t.equal(code, 1);
  const told = stderr.split('\n');
  for (const [line, cause] of [
    [3, 'bad_json: not valid JSON'],
    [4, 'missing_key: no text or number at id'],
    [5, "event_too_large: data and partition key together exceed the stream's record limit"],
    [7, 'bad_json: not valid JSON'],
  ]) {
    t.ok(
      told.some((text) => text.startsWith(`${lines}:${line}: ${cause}`)),
      `line ${line}`,
    );
  }
  t.match(stderr, /7 events, .*; 3 accepted; 4 refused \(2 bad_json, 1 missing_key, 1 event_too_large\)/);
  t.match(stderr, /spillway: 4 of 7 events were refused for good/);
  t.strictSame(
    intake.offered.filter(({ data }) => !data.includes('large')).map(({ key, data }) => `${key} ${data}`),
    ['a {"id":"a"}', '1e3 {"id":1e3}', 'last {"id":"last"}'],
    'keys as the daemon finds them',
  );
});

t.test('beyond ten refused lines only their number is told', async (t) => {
  const { path } = await listenForTest(t);
  const { stderr } = await spillway(['send', '--to', path, '--key', 'id', file(t, 'x\n'.repeat(25))]);
  t.equal(stderr.match(/:\d+: bad_json/g)?.length, 10);
  t.match(stderr, /^… and 15 more$/m);
});

t.test('over HTTP the daemon names the lines, and the sender tells where they stand in the file', async (t) => {
  const { listener, intake } = await listenHttpForTest(t, { keyField: 'id', missingKey: 'refuse' });
  let full = 2;
  intake.verdict = ({ key }) => (key === 'wait' && full-- > 0 ? Verdict.saturated : Verdict.ring);
  intake.retryAfterMs = () => 1;
  const lines = file(t, '{"id":"a"}\n\nbad\n{"id":"wait"}\n{"x":1}\n{"id":"b"}\n');
  const { code, stderr } = await spillway(['send', '--to', listener.address, '--stream', 'orders', lines]);
  t.equal(code, 1);
  t.match(stderr, new RegExp(`^${lines}:3: bad_json: not valid JSON`, 'm'));
  t.match(stderr, new RegExp(`^${lines}:5: missing_key: `, 'm'));
  t.match(stderr, /5 events, .*; 3 accepted; 2 refused \(1 bad_json, 1 missing_key\); \d+ sent again/);
  t.strictSame(
    intake.offered.filter(({ key }) => key !== 'wait').map(({ key }) => key),
    ['a', 'b'],
    'nothing was sent twice',
  );
});

t.test(
  'over HTTP bodies that the daemon finds too large are sent in parts; only a line beyond it is refused',
  async (t) => {
    const { listener, intake } = await listenHttpForTest(t, { bodyBytesMax: 10_000 });
    const line = 'x'.repeat(999);
    const lines = file(t, `${`${line}\n`.repeat(60)}${'y'.repeat(11_000)}\n${`${line}\n`.repeat(60)}`);
    const { stderr } = await spillway(['send', '--to', listener.address, '--stream', 'orders', lines]);
    t.match(stderr, new RegExp(`^${lines}:61: body_too_large: .*10000 bytes`, 'm'));
    t.match(stderr, /121 events, .*; 120 accepted; 1 refused/);
    t.equal(intake.offered.length, 120);
  },
);

t.test('what keeps it from beginning is said with its cause and cure', async (t) => {
  const { path } = await listenForTest(t);
  const directory = temporaryDirectory(t);
  const unreadable = file(t, 'x\n');
  chmodSync(unreadable, 0);
  mkdirSync(join(directory, 'd'));
  const cases: [string[], number, RegExp][] = [
    [['--to', join(directory, 'absent')], 1, /no such socket: is the daemon running/],
    [['--to', directory], 1, /nobody listens on it: start the daemon/],
    [['--to', 'localhost:7070', '--stream', 's'], 2, /write http:\/\/localhost:7070/],
    [['--to', 'https://127.0.0.1:1', '--stream', 's'], 1, /cannot reach a daemon at https:.*nobody listens there/],
    [['--to', 'http://127.0.0.1:1', '--stream', 's', '/dev/null'], 1, /nobody listens there: is the daemon running/],
    [['--to', path, join(directory, 'd')], 1, /it is a directory/],
    [['--to', path, join(directory, 'no')], 1, /there is no such file/],
    [['--to', path, '--key', 'user..id', '/dev/null'], 1, /write names separated by single dots/],
  ];
  if (process.getuid?.() !== 0) cases.push([['--to', path, unreadable], 1, /no permission: run as a user/]);
  for (const [words, code, message] of cases) {
    const ended = await spillway(['send', ...words]);
    t.match({ code: ended.code, stderr: ended.stderr }, { code, stderr: message }, words.join(' '));
  }
});
