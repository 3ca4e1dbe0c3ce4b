import t from 'tap';
import { loadConfig } from '../../src/daemon/config.ts';
import { FailureLog } from '../../src/daemon/failure-log.ts';
import { createLog } from '../../src/observe/log.ts';

const text = `
[[stream]]
name = "orders"
region = "eu-west-1"
proxy = "http://me:very-secret@proxy.example:3128"
[[stream]]
name = "clicks"
region = "eu-west-1"
[[listen]]
kind = "http"
address = "127.0.0.1:0"
`;

/** A failure log on a clock that stands until it is moved, and the lines it has written. */
function failureLog() {
  const loaded = loadConfig({ text, file: 'test', environment: {}, cores: 2 });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.mistakes));
  const lines: { msg: string; [name: string]: unknown }[] = [];
  const time = { nowMs: 0 };
  const log = createLog({
    level: 'info',
    nowMs: () => time.nowMs,
    write: (line) => void lines.push(JSON.parse(line) as { msg: string }),
  });
  return { time, lines, failures: new FailureLog(log, loaded.config.streams, () => time.nowMs) };
}

const refused = { code: 'ECONNREFUSED', message: 'connect ECONNREFUSED 10.0.0.1:443' };
const expired = { code: 'ExpiredTokenException', message: 'The security token included in the request is expired' };

t.test('a cause is told once with its cure, from whatever lane, and again when it changes', async (t) => {
  const { lines, failures } = failureLog();
  for (let i = 0; i < 100; i++) failures.failed(i % 4, { stream: 0, ...refused });
  t.equal(lines.length, 1);
  t.match(lines[0], {
    kind: 'error',
    stream: 'orders',
    code: 'ECONNREFUSED',
    msg: /^requests fail: nothing listens at the Kinesis endpoint of eu-west-1 .*; cure: correct host and port/,
    details: { cause: 'refused' },
  });
  failures.failed(0, { stream: 0, ...expired });
  t.match(lines[1], { msg: /have expired.*aws sso login/, details: { cause: 'credentials_expired' } });
  failures.failed(0, { stream: 1, ...expired });
  t.match(lines[2], { stream: 'clicks' });
  t.equal(lines.length, 3);
});

t.test('after requests have passed again, or a minute without it, the same cause is news', async (t) => {
  const { time, lines, failures } = failureLog();
  failures.failed(0, { stream: 0, ...refused });
  failures.recovered(0);
  failures.failed(0, { stream: 0, ...refused });
  t.equal(lines.length, 2);
  for (let second = 0; second < 300; second += 50) {
    time.nowMs = second * 1_000;
    failures.failed(0, { stream: 0, ...refused });
  }
  t.equal(lines.length, 2, 'while it lasts, it is one');
  time.nowMs += 60_000;
  failures.failed(0, { stream: 0, ...refused });
  t.equal(lines.length, 3);
});

t.test('a failure that is in no table is told as it came, and no password is', async (t) => {
  const { lines, failures } = failureLog();
  failures.failed(0, { stream: 0, code: 'SomethingNew', message: 'nobody knows' });
  failures.failed(0, { stream: 0, code: 'SomethingNew', message: 'nobody knows' });
  failures.failed(0, { stream: 0, code: 'proxy_refuses', message: 'CONNECT is answered with 407' });
  t.match(lines, [{ msg: 'a request failed: nobody knows' }, { msg: /the proxy proxy\.example:3128 does not let/ }]);
  t.notMatch(JSON.stringify(lines), 'very-secret');
});
