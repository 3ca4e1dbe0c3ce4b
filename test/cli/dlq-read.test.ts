import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readSeries } from '../dlq/independent-reader.ts';
import { fill, letterOf, snapshot, stateDirectory } from './dlq-directory.ts';
import { spillway } from './spillway.ts';

const dlq = (stateDir: string, ...words: string[]) => spillway(['dlq', ...words, '--state-dir', stateDir]);

interface Shown {
  readonly sequence: number;
  readonly series: string;
  readonly stream: string;
  readonly reason: string;
  readonly key: string;
  readonly hashKey: string | null;
  readonly attempts: number;
  readonly firstSeen: string;
  readonly encoding: 'utf8' | 'base64';
  readonly data: string;
}

const linesOf = (stdout: string): Shown[] =>
  stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Shown);

t.test('ls, stat, show and verify tell what an independent reader finds, and change nothing', async (t) => {
  const stateDir = stateDirectory(t);
  await fill(stateDir, { spills: 300, letters: 2_000 });
  for (const name of ['reserve', 'journal-0000000001.marks']) writeFileSync(join(stateDir, 'dlq', name), 'x');
  const before = snapshot(stateDir);
  t.notMatch(
    await dlq(stateDir, 'ls'),
    { stderr: /left alone/ },
    'what is no segment, and its own, is nothing strange',
  );
  const ls = JSON.parse((await dlq(stateDir, 'ls', '--json')).stdout) as {
    segments: { segment: string; series: string; waiting: number; state: string; streams: string[] }[];
  };
  const names = readdirSync(join(stateDir, 'dlq')).filter((name) => name.endsWith('.seg'));
  t.strictSame(ls.segments.map(({ segment }) => segment).sort(), names.sort());
  t.ok(ls.segments.every(({ state }) => state === 'sealed'));
  const events = (series: string): number =>
    ls.segments.filter((segment) => segment.series === series).reduce((sum, { waiting }) => sum + waiting, 0);
  t.strictSame([events('spill'), events('dead')], [300, 2_000]);
  t.strictSame([...new Set(ls.segments.flatMap(({ streams }) => streams))].sort(), ['clicks', 'orders']);

  const stat = JSON.parse((await dlq(stateDir, 'stat', '--json')).stdout) as { events: object[] };
  t.match(new Set(stat.events), new Set([
    { series: 'spill', stream: 'orders', reason: 'saturated', events: 300 },
    { series: 'dead', stream: 'orders', reason: 'rejected', events: 1_000 },
    { series: 'dead', stream: 'clicks', reason: 'too_large', events: 1_000 },
  ])); // biome-ignore format: one line each

  const { stdout, code } = await dlq(stateDir, 'show', '--series', 'dead');
  t.equal(code, 0);
  const streams = ['orders', 'clicks'];
  const shown = linesOf(stdout).map((line) => ({
    ...line,
    data: Buffer.from(line.data, line.encoding).toString('latin1'),
  }));
  t.strictSame(
    shown.map(({ sequence, stream, key, attempts, data }) => ({ sequence, stream, key, attempts, data })),
    readSeries(join(stateDir, 'dlq'), 'dead').map(({ sequence, stream, key, attempts, data }) => ({
      sequence,
      stream,
      key,
      attempts,
      data,
    })),
  );
  shown.forEach(({ hashKey, stream, encoding }, id) => {
    if (hashKey !== (id % 3 === 0 ? String(id) : null)) t.fail(`hash key of ${id}: ${hashKey}`);
    if (stream !== streams[id % 2]) t.fail(`stream of ${id}: ${stream}`);
    if (encoding !== (id % 5 === 0 ? 'base64' : 'utf8')) t.fail(`encoding of ${id}: ${encoding}`);
  });
  t.match(await dlq(stateDir, 'verify'), { code: 0, stdout: '', stderr: /2300 events.*all whole/ });
  t.strictSame(snapshot(stateDir), before);
});

t.test('flags choose by stream, reason, key and time; --raw gives data alone; --limit ends', async (t) => {
  const stateDir = stateDirectory(t);
  await fill(stateDir, { letters: 200 });
  const keys = async (...flags: string[]): Promise<string[]> =>
    linesOf((await dlq(stateDir, 'show', ...flags)).stdout).map(({ key }) => key);
  t.equal((await keys('--stream', 'clicks')).length, 100);
  t.equal((await keys('--stream', 'clicks', '--stream', 'orders')).length, 200);
  t.equal((await keys('--reason', 'rejected')).length, 100);
  t.strictSame(await keys('--key', 'key17'), ['key17']);
  t.strictSame(await keys('--key', 'key1', '--reason', 'rejected'), []);
  t.strictSame(await keys('--limit', '3'), ['key0', 'key1', 'key2']);
  // First seen at 1.7e15 microseconds, and one more for each.
  const ms = 1.7e12;
  t.strictSame(await keys('--until', new Date(ms).toISOString()), []);
  t.equal((await keys('--since', new Date(ms).toISOString())).length, 200);
  t.equal((await keys('--since', '2h')).length, 0);
  t.equal((await keys('--until', '2h')).length, 200);
  const raw = await dlq(stateDir, 'show', '--raw', '--key', 'key3');
  t.equal(raw.stdout, `${letterOf(3).data}\n`);
  const raw0 = await dlq(stateDir, 'show', '--raw0', '--stream', 'clicks', '--limit', '1');
  t.equal(raw0.stdout, `${letterOf(1).data}\0`);
});

t.test('damage is listed with its bytes, verify ends with 1, and show goes on behind it', async (t) => {
  const stateDir = stateDirectory(t);
  await fill(stateDir, { letters: 100 });
  const [name] = readdirSync(join(stateDir, 'dlq')) as [string];
  const path = join(stateDir, 'dlq', name);
  const bytes = readFileSync(path);
  const at = bytes.indexOf('letter 13');
  bytes[at] = 0x58;
  writeFileSync(path, bytes);
  const before = snapshot(stateDir);
  const verify = await dlq(stateDir, 'verify');
  t.equal(verify.code, 1);
  const [, from, to] = /bytes (\d+) to (\d+): damaged payload/.exec(verify.stdout) ?? [];
  t.ok(Number(from) < at && at <= Number(to), verify.stdout);
  const shown = await dlq(stateDir, 'show');
  t.equal(linesOf(shown.stdout).length, 99);
  t.match(shown.stderr, /1 damaged range left out/);
  t.strictSame(snapshot(stateDir), before);
  writeFileSync(path, Buffer.concat([bytes, Buffer.alloc(20, 1)]));
  t.match((await dlq(stateDir, 'ls')).stdout, /dead-\S+ .* damaged /);
  writeFileSync(path, Buffer.alloc(30));
  t.match(await dlq(stateDir, 'verify'), { code: 1, stdout: /bytes 0 to 29: damaged header/ });
});

t.test(
  'an empty DLQ is no failure; a directory that is not there, or no directory, is named with the cure',
  async (t) => {
    const stateDir = stateDirectory(t);
    mkdirSync(join(stateDir, 'dlq'));
    for (const word of ['ls', 'stat', 'show', 'verify']) {
      t.match(await dlq(stateDir, word), { code: 0, stdout: '' }, word);
    }
    const missing = await dlq(join(stateDir, 'nowhere'), 'ls');
    t.match(missing, {
      code: 1,
      stdout: '',
      stderr: /nowhere cannot be read: there is no such directory: name the one/,
    });
    writeFileSync(join(stateDir, 'file'), '');
    t.match(await dlq(join(stateDir, 'file'), 'stat'), { code: 1, stderr: /file cannot be read: it is no directory/ });
  },
);

t.test('wrong flags end with 2, a missing configuration with 78, and each message says what to give', async (t) => {
  const stateDir = stateDirectory(t);
  await fill(stateDir, { letters: 1 });
  const before = snapshot(stateDir);
  const wrong: readonly (readonly [RegExp, ...string[]])[] = [
    [/Give ISO 8601/, 'show', '--since', 'yesterday'],
    [/Give one of saturated/, 'show', '--reason', 'bad'],
    [/a-z A-Z 0-9/, 'show', '--stream', '../orders'],
    [/whole number, 1 or more/, 'show', '--limit', '0'],
    [/not both/, 'show', '--raw', '--raw0'],
    [/events per second/, 'replay', '--rate', 'fast'],
    [/needs|paces a running daemon/, 'replay', '--rate', '5/s'],
    [/say --yes/, 'purge'],
    [/unknown option '--all'/, 'purge', '--all'],
    [/a-z A-Z 0-9/, 'replay', '--to', 'a/b'],
  ];
  for (const [message, ...words] of wrong) {
    t.match(await dlq(stateDir, ...words), { code: 2, stdout: '', stderr: message }, words.join(' '));
  }
  t.match(await dlq(stateDir, 'ls', '--config', 'x.toml'), { code: 2, stderr: /give one of them/ });
  t.match(await spillway(['dlq', 'ls', '--config', join(stateDir, 'none.toml')]), { code: 78, stderr: /none\.toml/ });
  t.strictSame(snapshot(stateDir), before);
});
