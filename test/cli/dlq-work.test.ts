import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readSeries } from '../dlq/independent-reader.ts';
import { fill, ids, idsIn, letterOf, snapshot, stateDirectory } from './dlq-directory.ts';
import { spillway } from './spillway.ts';

const dlq = (stateDir: string, ...words: string[]) => spillway(['dlq', ...words, '--state-dir', stateDir]);

t.test('purge takes out what its flags mean, keeps the rest byte by byte, and leaves no copy behind', async (t) => {
  const stateDir = stateDirectory(t);
  const count = 3_000;
  await fill(stateDir, { spills: 100, letters: count });
  const before = readSeries(join(stateDir, 'dlq'), 'dead');
  const dry = snapshot(stateDir);
  t.match(await dlq(stateDir, 'purge', '--dry-run', '--stream', 'clicks'), {
    code: 0,
    stderr: /1500 dead letters, .* would be/,
  });
  t.strictSame(snapshot(stateDir), dry, 'a dry run changes nothing');
  const done = await dlq(stateDir, 'purge', '--yes', '--json', '--stream', 'clicks');
  t.equal(done.code, 0);
  t.match(JSON.parse(done.stdout), { dryRun: false, events: 1_500, damaged: 0, isStopped: false });
  t.strictSame(
    readSeries(join(stateDir, 'dlq'), 'dead'),
    before.filter(({ stream }) => stream === 'orders'),
  );
  t.equal(readSeries(join(stateDir, 'dlq'), 'spill').length, 100);
  t.match(await dlq(stateDir, 'verify'), { code: 0 });
  t.match(await dlq(stateDir, 'purge', '--yes', '--key', 'key4'), { stderr: /^1 dead letter, .* was thrown away/ });
  t.notOk(idsIn(stateDir, 'dead').includes(4));
  t.match(await dlq(stateDir, 'purge', '--yes'), { code: 0, stderr: /1499 dead letters/ });
  const left = readdirSync(join(stateDir, 'dlq')).filter((name) => !name.startsWith('spill-'));
  t.strictSame(
    left.filter((name) => name !== 'checkpoint'),
    [],
  );
  t.strictSame(readdirSync(stateDir), ['dlq'], 'and no lock');
});

t.test('replay at rest makes spills of letters, for the stream that they are sent to', async (t) => {
  const stateDir = stateDirectory(t);
  await fill(stateDir, { letters: 400 });
  t.match(await dlq(stateDir, 'replay', '--reason', 'rejected', '--since', '2020-01-01'), {
    code: 0,
    stderr: /200 dead letters, .* will be sent again when the daemon starts/,
  });
  t.strictSame(
    idsIn(stateDir, 'spill'),
    ids(400, (id) => id % 2 === 0),
  );
  t.strictSame(
    idsIn(stateDir, 'dead'),
    ids(400, (id) => id % 2 === 1),
  );
  t.match(await dlq(stateDir, 'replay', '--to', 'elsewhere', '--key', 'key7'), {
    code: 0,
    stderr: /^1 dead letter, .* will be/,
  });
  const spills = readSeries(join(stateDir, 'dlq'), 'spill');
  const { stream, key, hashKey, data, firstSeenUs } = letterOf(6);
  t.equal(stream, 0);
  t.match(spills[3], { stream: 'orders', key, hashKey, data, firstSeenUs, attempts: 0 });
  t.match(spills.at(-1), { stream: 'elsewhere', key: 'key7' });
});

t.test('a damaged letter goes into quarantine with its bytes, and the others go on', async (t) => {
  const stateDir = stateDirectory(t);
  await fill(stateDir, { letters: 50 });
  const directory = join(stateDir, 'dlq');
  const [name] = readdirSync(directory) as [string];
  const bytes = readFileSync(join(directory, name));
  bytes[bytes.indexOf('letter 13')] = 0x58;
  writeFileSync(join(directory, name), bytes);
  const { stdout, stderr } = await dlq(stateDir, 'purge', '--yes', '--json', '--stream', 'orders');
  t.match(JSON.parse(stdout), { events: 25, damaged: 1 });
  t.match(stderr, /damaged_events/);
  t.strictSame(
    idsIn(stateDir, 'dead'),
    ids(50, (id) => id % 2 === 1 && id !== 13),
  );
  const kept = readdirSync(directory).filter((file) => file.endsWith('.quarantine'));
  t.equal(kept.length, 1);
  t.ok(readFileSync(join(directory, kept[0] as string)).includes('Xetter 13'));
});

t.test('what purge and replay cannot have they say: another one has the directory', async (t) => {
  const stateDir = stateDirectory(t);
  await fill(stateDir, { letters: 10 });
  const start = readFileSync(`/proc/${process.pid}/stat`, 'latin1').split(') ')[1]?.split(' ')[19];
  writeFileSync(join(stateDir, 'lock'), `${process.pid} ${start}\n`);
  for (const words of [['purge', '--yes'], ['replay']]) {
    t.match(await dlq(stateDir, ...words), {
      code: 1,
      stderr: new RegExp(`process ${process.pid} has .* does not answer`),
    });
  }
  t.match(await dlq(stateDir, 'stat'), { code: 0, stdout: /rejected/, stderr: /does not answer/ });
  t.equal(idsIn(stateDir, 'dead').length, 10);
});
