import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { fill, ids, idsIn, stateDirectory } from './dlq-directory.ts';
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
