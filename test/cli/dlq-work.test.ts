import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { readSeries } from '../dlq/independent-reader.ts';
import { fill, idsIn, letterOf, snapshot, stateDirectory } from './dlq-directory.ts';
import { binary, spillway } from './spillway.ts';

const dlq = (stateDir: string, ...words: string[]) => spillway(['dlq', ...words, '--state-dir', stateDir]);

const seed = Number(process.env['SEED'] ?? 20_261_125);

/** Numbers in [0, 1) from the seed. */
const dice = (() => {
  let state = seed;
  return (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
})();

/** Numbers from 0 on below `count` for which `isMeant`. */
const ids = (count: number, isMeant: (id: number) => boolean): number[] =>
  Array.from({ length: count }, (_, id) => id).filter((id) => isMeant(id));

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

/**
 * Runs a command and kills it at a random moment after it has begun to change the directory. True: it was killed before its end.
 */
async function killed(stateDir: string, words: readonly string[], delayMsMax: number): Promise<boolean> {
  const directory = join(stateDir, 'dlq');
  const look = (): string =>
    readdirSync(directory)
      .map((name) => `${name} ${statSync(join(directory, name), { throwIfNoEntry: false })?.ino}`)
      .join();
  const before = look();
  const child = spawn(process.execPath, [binary, 'dlq', ...words, '--state-dir', stateDir], { stdio: 'ignore' });
  const ended = once(child, 'close') as Promise<[number | null]>;
  const isOver = (): boolean => child.exitCode !== null;
  while (!isOver() && look() === before) await new Promise((resolve) => setTimeout(resolve, 1));
  const untilMs = performance.now() + dice() * delayMsMax;
  while (!isOver() && performance.now() < untilMs) await new Promise((resolve) => setImmediate(resolve));
  child.kill('SIGKILL');
  const [code] = await ended;
  return code === null;
}

async function killUntilDone(t: Test, stateDir: string, words: readonly string[], check: () => void): Promise<void> {
  t.comment(`SEED=${seed}`);
  let kills = 0;
  for (let round = 0; round < 8; round++) {
    if (!(await killed(stateDir, words, 30))) break;
    kills += 1;
    check();
  }
  t.ok(kills >= 3, `${kills} kills in the middle`);
  t.match(await dlq(stateDir, ...words), { code: 0 });
  t.match(await dlq(stateDir, 'verify'), { code: 0 });
}

const count = 12_000;

t.test('a purge killed at any moment loses nothing that stays, and the next one ends the work', async (t) => {
  const stateDir = stateDirectory(t);
  await fill(stateDir, { letters: count });
  const stay = ids(count, (id) => id % 2 === 1);
  await killUntilDone(t, stateDir, ['purge', '--yes', '--stream', 'orders'], () => {
    const left = idsIn(stateDir, 'dead');
    t.strictSame(left.filter((id) => id % 2 === 1).length, stay.length);
  });
  t.strictSame(idsIn(stateDir, 'dead'), stay);
  t.strictSame(
    readdirSync(join(stateDir, 'dlq')).filter((name) => name.endsWith('.tmp')),
    [],
  );
});

t.test(
  'a replay killed at any moment loses no letter, and repeats at most those of a segment for each kill',
  async (t) => {
    const stateDir = stateDirectory(t);
    await fill(stateDir, { letters: count });
    const segmentEntries = Math.ceil((64 * 1024) / 100);
    let kills = 0;
    await killUntilDone(t, stateDir, ['replay', '--stream', 'orders'], () => {
      kills += 1;
      const all = new Set([...idsIn(stateDir, 'dead'), ...idsIn(stateDir, 'spill')]);
      if (all.size !== count) t.fail(`${count - all.size} letters are nowhere`);
    });
    const spills = idsIn(stateDir, 'spill');
    t.strictSame(
      [...new Set(spills)].sort((a, b) => a - b),
      ids(count, (id) => id % 2 === 0),
    );
    t.strictSame(
      idsIn(stateDir, 'dead'),
      ids(count, (id) => id % 2 === 1),
    );
    t.ok(
      spills.length - count / 2 <= kills * segmentEntries,
      `${spills.length - count / 2} twice after ${kills} kills`,
    );
  },
);
