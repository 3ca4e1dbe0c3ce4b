import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { dirname } from 'node:path';
import t, { type Test } from 'tap';
import { ask } from '../simulator/raw.ts';
import { binary, spillway } from './spillway.ts';

interface Ready {
  readonly url: string;
  readonly adminUrl: string;
  readonly caFile?: string;
  readonly pid: number;
}

/** `spillway sim` on free ports, with its ready line. */
async function sim(
  t: Test,
  ...arguments_: string[]
): Promise<{ child: ChildProcess; ready: Ready; ended: Promise<number | null> }> {
  const child = spawn(process.execPath, [binary, 'sim', '--listen', '127.0.0.1:0', ...arguments_], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  t.teardown(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const ready = await new Promise<Ready>((resolve, reject) => {
    child.stdout?.once('data', (line: Buffer) => resolve(JSON.parse(line.toString()) as Ready));
    void ended.then((code) => reject(new Error(`it ended with ${code} before it was ready`)));
  });
  return { child, ready, ended };
}

const list = (url: string) => ask(url, { operation: 'ListStreams', body: {} });

t.test('the ready line names the API, the admin API, and the process', async (t) => {
  const { child, ready, ended } = await sim(t, '--stream', 'orders:4', '--stream', 'clicks');
  t.match(ready, {
    msg: 'ready',
    url: /^http:\/\/127.0.0.1:\d+$/,
    adminUrl: /^http:\/\/127.0.0.1:\d+$/,
    pid: child.pid,
  });
  t.equal(ready.caFile, undefined);
  t.match(await list(ready.url), { body: { StreamNames: ['clicks', 'orders'] } });
  const { streams } = (await (await fetch(`${ready.adminUrl}/_sim/stats`)).json()) as {
    streams: { orders: { shards: unknown[] } };
  };
  t.equal(streams.orders.shards.length, 4);
  child.kill('SIGINT');
  t.equal(await ended, 0);
});

t.test('--tls writes the certificate to trust, and takes it away at the end', async (t) => {
  const { child, ready, ended } = await sim(t, '--tls');
  t.match(ready, { url: /^https:/, caFile: /ca\.pem$/ });
  const caFile = ready.caFile ?? '';
  t.match(readFileSync(caFile, 'utf8'), /^-----BEGIN CERTIFICATE-----/);
  child.kill('SIGTERM');
  t.equal(await ended, 0);
  t.equal(existsSync(dirname(caFile)), false);
});

t.test('--counting, --keep, --auto-create, --admin, --faults and --seed reach the simulator', async (t) => {
  const faults = JSON.stringify({ shareFailedRecords: 0.5 });
  const outcome = async (...more: string[]): Promise<string> => {
    const { ready } = await sim(t, '--auto-create', '--admin', 'localhost:0', '--faults', faults, ...more);
    t.match(ready.adminUrl, /^http:\/\/localhost:/);
    const Records = Array.from({ length: 50 }, () => ({ PartitionKey: 'k', Data: Buffer.alloc(1_000) }));
    const answered = await ask(ready.url, { operation: 'PutRecords', body: { StreamName: 'x', Records } });
    const results = (answered.body as { Records: { ErrorCode?: string }[] }).Records;
    const events = (await (await fetch(`${ready.adminUrl}/_sim/events?stream=x`)).text()).split('\n').filter(Boolean);
    return `${events.length} ${results.map(({ ErrorCode }) => (ErrorCode === undefined ? '.' : 'x')).join('')}`;
  };
  const counting = await outcome('--seed', '7', '--counting');
  const keeping = await outcome('--seed', '7');
  const small = await outcome('--seed', '8', '--keep', '4KiB');
  t.match(counting, /^0 /);
  t.equal(keeping.split(' ')[1], counting.split(' ')[1], 'the same seed');
  t.not(small.split(' ')[1], keeping.split(' ')[1], 'another seed');
  t.match(small, /^2 /, 'what 4 KiB hold');
});

t.test('--listen takes IPv6, and its URL can be used', async (t) => {
  const { ready } = await sim(t, '--listen', '[::1]:0');
  t.match(ready.url, /^http:\/\/\[::1\]:\d+$/);
  t.equal((await list(ready.url)).status, 200);
});

t.test('a port that is taken is named, with the cure', async (t) => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  for (const flag of ['--listen', '--admin']) {
    const ended = await spillway(['sim', '--listen', '127.0.0.1:0', flag, `127.0.0.1:${port}`]);
    t.match(ended, { code: 1, stdout: '' });
    t.equal(
      ended.stderr,
      `spillway: 127.0.0.1:${port} is taken by another process; stop that one, or choose another port (0 lets the system choose)\n`,
    );
  }
});

t.test('an address that this host does not have is named, with the cure', async (t) => {
  const ended = await spillway(['sim', '--listen', '192.0.2.1:0']);
  t.match(ended, {
    code: 1,
    stdout: '',
    stderr: /^spillway: cannot listen on 192\.0\.2\.1:0: .*; choose an address of this host/,
  });
});

t.test('a directory for the certificate that cannot be written is named', async (t) => {
  const ended = await spillway(['sim', '--listen', '127.0.0.1:0', '--tls'], { TMPDIR: '/nonexistent' });
  t.match(ended, { code: 1, stdout: '', stderr: /^spillway: .*\/nonexistent.*TMPDIR/ });
});

const wrong: readonly (readonly [arguments_: readonly string[], message: RegExp])[] = [
  [['--listen', 'here'], /--listen here is no address; write it like 127\.0\.0\.1:4567/],
  [['--listen', '127.0.0.1:65536'], /--listen 127\.0\.0\.1:65536 is no address/],
  [['--admin', ':1'], /--admin :1 is no address/],
  [['--stream', 'a:0'], /'a:0' is invalid\. Write it like orders or orders:4, with up to 10000 shards/],
  [['--stream', 'a:10001'], /'a:10001' is invalid/],
  [['--stream', 'a b'], /'a b' is invalid/],
  [['--stream', 'a', '--stream', 'a:2'], /--stream a is given twice/],
  [['--keep', '1kb'], /'1kb' is invalid\. "1kb" is not a size: .*"1KiB"/],
  [['--seed', '-1'], /'-1' is invalid\. Give a whole number from 0 to 4294967295/],
  [['--seed', 'x'], /'x' is invalid/],
  [['--faults', '{x'], /--faults \{x is not JSON; write it like '\{"latencyMs": 50\}'/],
  [
    ['--faults', '{"latencyMs":-1,"x":1}'],
    /--faults: latencyMs: -1 is not .* from 0 to 600000; x: no such fault; there are latencyMs/,
  ],
  [['--faults', '[]'], /--faults: the faults must be a JSON object/],
  [['orders'], /too many arguments for 'sim'/],
  [['--strem', 'a'], /unknown option '--strem'/],
];

t.test('wrong flags end with 2, name the flag and what it takes, and start nothing', async (t) => {
  const ended = await Promise.all(wrong.map(([arguments_]) => spillway(['sim', ...arguments_])));
  for (const [index, [arguments_, message]] of wrong.entries()) {
    t.match(ended[index], { code: 2, stdout: '', stderr: message }, arguments_.join(' '));
  }
});
