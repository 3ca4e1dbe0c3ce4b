import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type Ledger, Rig, until } from '../daemon/running.ts';
import { fill, idsIn, letterOf } from './dlq-directory.ts';
import { binary, type Ended, spillway } from './spillway.ts';

const dlq = (stateDir: string, ...words: string[]): Promise<Ended> =>
  spillway(['dlq', ...words, '--state-dir', stateDir]);
const stateOf = ({ directory }: Rig): string => join(directory, 'state');

/** The books balance, and nothing is on its way. */
const isQuiet = ({ accepted, recovered, delivered, inFlight, dlq: held, dropped }: Ledger): boolean =>
  inFlight === 0 && accepted + recovered === delivered + held + dropped;

/** The daemon's second stream, to which half of the letters belong. */
const clicks = ({ simulator }: Rig): string => `
[[stream]]
name = "clicks"
region = "us-east-1"
endpoint = "${simulator.url}"
${simulator.caFile === undefined ? '' : `ca_file = "${simulator.caFile}"`}
`;

async function keysIn(rig: Rig): Promise<string[]> {
  const keys: string[] = [];
  for await (const { partitionKey } of rig.simulator.events('orders')) keys.push(partitionKey);
  return keys;
}

t.test(
  'letters are sent again beside traffic: each is delivered once, none of the traffic is lost, the books hold',
  async (t) => {
    const rig = await Rig.start(t);
    const stateDir = stateOf(rig);
    const letters = 4_000;
    await fill(stateDir, { letters });
    const daemon = await rig.daemon();
    t.match(await daemon.ledger(), { recovered: letters / 2, dlq: letters / 2 });
    const traffic = 20_000;
    const sent = rig.send(daemon.socket, 0, traffic);
    const done = await dlq(stateDir, 'replay', '--json');
    t.match(
      { ...done, stdout: JSON.parse(done.stdout) },
      { code: 0, stdout: { events: letters / 2, unknownStream: letters / 2 } },
    );
    t.match(await sent, { accepted: traffic, refused: 0 });
    const ledger = await until(
      () => daemon.ledger(),
      (now) => isQuiet(now) && now.dlq === 0,
    );
    t.match(ledger, { delivered: traffic + letters / 2, dropped: 0 });
    const keys = (await keysIn(rig)).filter((key) => key.startsWith('key'));
    const expected = Array.from({ length: letters / 2 }, (_, i) => letterOf(2 * i).key);
    t.strictSame(keys.filter((key) => expected.includes(key)).length, expected.length);
    t.strictSame(new Set(keys.filter((key) => expected.includes(key))), new Set(expected));
    t.match(await daemon.line(({ kind, event }) => kind === 'dlq' && event === 'sent_again'), {
      level: 'info',
      events: letters / 2,
    });
    t.equal(await daemon.stop(), 0);
    t.equal(idsIn(stateDir, 'dead').length, letters / 2, 'those of the stream that is not configured');
  },
);

t.test('what is purged while the daemon runs is dropped in its books, by stream; its reading goes on', async (t) => {
  const rig = await Rig.start(t);
  const stateDir = stateOf(rig);
  await fill(stateDir, { letters: 2_000 });
  const daemon = await rig.daemon('', clicks(rig));
  t.match(await daemon.ledger(), { recovered: 2_000, dlq: 2_000 });
  const sent = rig.send(daemon.socket, 0, 5_000);
  const { stdout, code } = await dlq(stateDir, 'purge', '--yes', '--json', '--stream', 'clicks');
  t.equal(code, 0);
  t.match(JSON.parse(stdout), { events: 1_000 });
  await sent;
  const status = await until(
    () => daemon.status(),
    ({ ledger }) => isQuiet(ledger),
  );
  t.match(status.ledger, { dropped: 1_000, dlq: 1_000, delivered: 5_000 });
  t.match(status.streams['clicks'], { ledger: { dropped: 1_000, dlq: 0 }, dlq: { dead: 0 } });
  t.match(status.streams['orders'], { ledger: { dropped: 0, dlq: 1_000 }, dlq: { dead: 1_000 } });
  t.match(await dlq(stateDir, 'verify'), { code: 0 });
  t.equal(
    (JSON.parse((await dlq(stateDir, 'stat', '--json')).stdout) as { daemon: number }).daemon,
    daemon.process.pid,
  );
  t.equal(await daemon.stop(), 0);
  const next = await rig.daemon('', clicks(rig));
  t.match(await next.ledger(), { recovered: 1_000, dlq: 1_000 }, 'what was purged stays away');
  t.equal(await next.stop(), 0);
});

t.test('letters go to the stream that --to names, at the pace of --rate; the books of both say so', async (t) => {
  const rig = await Rig.start(t);
  const stateDir = stateOf(rig);
  await fill(stateDir, { letters: 200 });
  const daemon = await rig.daemon('', clicks(rig));
  const startMs = performance.now();
  t.match(await dlq(stateDir, 'replay', '--stream', 'clicks', '--to', 'orders', '--rate', '100/s'), {
    code: 0,
    stderr: /^100 dead/,
  });
  t.ok(performance.now() - startMs > 900, 'a hundred at a hundred a second');
  const status = await until(
    () => daemon.status(),
    ({ ledger }) => isQuiet(ledger) && ledger.delivered === 100,
  );
  t.match(status.streams['orders']?.ledger, { delivered: 100, recovered: 200, dlq: 100 });
  t.match(status.streams['clicks']?.ledger, { delivered: 0, recovered: 0, dlq: 0 });
  t.match(await dlq(stateDir, 'replay', '--to', 'nowhere'), {
    code: 2,
    stderr: /no such stream; it has orders, clicks/,
  });
  t.equal(await daemon.stop(), 0);
});

t.test(
  'Ctrl-C ends a paced replay with what was done; a second start goes on, and nothing is sent twice',
  async (t) => {
    const rig = await Rig.start(t);
    const stateDir = stateOf(rig);
    await fill(stateDir, { letters: 600 });
    const daemon = await rig.daemon();
    const words = ['dlq', 'replay', '--stream', 'orders', '--rate', '50/s', '--json', '--state-dir', stateDir];
    const child = spawn(process.execPath, [binary, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    await until(
      () => daemon.ledger(),
      ({ delivered }) => delivered >= 10,
    );
    child.kill('SIGINT');
    t.strictSame(await once(child, 'close'), [1, null]);
    const { events, isStopped } = JSON.parse(stdout) as { events: number; isStopped: boolean };
    t.ok(isStopped && events >= 10 && events < 300, `${events} of 300`);
    const rest = await dlq(stateDir, 'replay', '--stream', 'orders', '--json');
    t.equal((JSON.parse(rest.stdout) as { events: number }).events, 300 - events);
    await until(
      () => daemon.ledger(),
      (ledger) => isQuiet(ledger) && ledger.dlq === 0,
    );
    const keys = await keysIn(rig);
    t.equal(keys.length, 300);
    t.equal(new Set(keys).size, 300);
    t.equal(await daemon.stop(), 0);
  },
);

t.test('a daemon that is killed while it sends letters again loses none, and repeats few', async (t) => {
  const rig = await Rig.start(t);
  const stateDir = stateOf(rig);
  await fill(stateDir, { letters: 600 });
  const daemon = await rig.daemon();
  const working = dlq(stateDir, 'replay', '--stream', 'orders', '--rate', '100/s');
  await until(
    () => daemon.ledger(),
    ({ delivered }) => delivered >= 50,
  );
  daemon.process.kill('SIGKILL');
  await daemon.exited;
  const moved = idsIn(stateDir, 'spill').length;
  t.match(await working, {
    code: 1,
    stderr: /the daemon ended before it had answered: what was done until then stays done/,
  });
  const next = await rig.daemon();
  t.match(await dlq(stateDir, 'replay', '--stream', 'orders'), { code: 0 });
  await until(
    () => next.ledger(),
    (ledger) => isQuiet(ledger) && ledger.dlq === 0,
  );
  const keys = await keysIn(rig);
  t.equal(new Set(keys).size, 300, 'each came');
  // A letter that was moved is a spill and a dead letter; a spill is repeated when no checkpoint covers it, every 200 ms.
  const twice = keys.length - 300;
  t.ok(moved < 250 && twice <= moved + 50, `${twice} twice, ${moved} were moved in the last five seconds`);
  t.equal(await next.stop(), 0);
});

t.test(
  'letters that fill the whole DLQ can be purged while the daemon runs: it takes events again at once',
  async (t) => {
    const rig = await Rig.start(t);
    const stateDir = stateOf(rig);
    await fill(stateDir, { letters: 12_000 });
    const size = readdirSync(join(stateDir, 'dlq')).reduce(
      (sum, name) => sum + statSync(join(stateDir, 'dlq', name)).size,
      0,
    );
    t.ok(size > 1024 ** 2);
    const small = 'record_bytes_max = "32KiB"\naggregate_bytes = "32KiB"';
    const daemon = await rig.daemon(
      small,
      '[dlq]\nmax_bytes = "1MiB"\nsegment_bytes = "64KiB"\n[breaker]\nfailures = 1\n',
    );
    await rig.simulator.faults({ refuse: true });
    await rig.send(daemon.socket, 0, 100);
    await daemon.line(({ kind, to }) => kind === 'breaker' && to === 'open');
    t.match(await rig.send(daemon.socket, 100, 200), { accepted: 0, refused: 100 }, 'there is no room');
    t.match(await dlq(stateDir, 'purge', '--yes'), { code: 0, stderr: /12000 dead letters/ });
    t.match(await rig.send(daemon.socket, 200, 300), { accepted: 100, refused: 0 });
    await rig.simulator.faults({});
    await until(
      () => daemon.ledger(),
      (ledger) => isQuiet(ledger) && ledger.dlq === 0,
    );
    t.equal(await daemon.stop(), 0);
  },
);

t.test('of a stream that keeps order letters come behind what was there, and new events go on', async (t) => {
  const rig = await Rig.start(t);
  const stateDir = stateOf(rig);
  await fill(stateDir, { letters: 1_000 });
  const daemon = await rig.daemon('ordering = "key"');
  const sent = rig.send(daemon.socket, 0, 5_000);
  t.match(await dlq(stateDir, 'replay', '--stream', 'orders'), { code: 0, stderr: /^500 dead letters/ });
  t.match(await sent, { accepted: 5_000, refused: 0 });
  await until(
    () => daemon.ledger(),
    (ledger) => isQuiet(ledger) && ledger.delivered === 5_500,
  );
  t.match(await rig.send(daemon.socket, 5_000, 5_100), { accepted: 100 });
  await until(
    () => daemon.ledger(),
    (ledger) => isQuiet(ledger) && ledger.delivered === 5_600 && ledger.dlq === 0,
  );
  t.equal(await daemon.stop(), 0);
});
