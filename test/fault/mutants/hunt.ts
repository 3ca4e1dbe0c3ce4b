/**
 * Runs the tests that should find a seeded mistake on a build that has it, one after the other, until an assertion of one fails.
 * Test code only. A test that ends in any other way, hangs included, has found nothing.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Build } from './build.ts';

export interface Catch {
  /** Test file, and the claim in it that does not hold. */
  readonly finder: string;
  readonly claim: string;
}

/** No test file takes so long on a healthy build, on a busy machine. */
const finderTimeoutMs = 1_200_000;

/** What catches the mistake of a build first; undefined: nothing. */
export async function hunt(build: Build, finders: readonly string[], seed: number): Promise<Catch | undefined> {
  for (const finder of finders) {
    const { claim } = await run(build, finder, seed, true);
    if (claim !== undefined) return { finder, claim };
  }
  return undefined;
}

/** Claims of a test that do not hold on this build, or how it ended otherwise; undefined: all hold. */
export async function failureOf(build: Build, finder: string, seed: number): Promise<string | undefined> {
  const { claim, code, signal } = await run(build, finder, seed, false);
  return claim ?? (code === 0 ? undefined : `it ended with ${signal ?? code}`);
}

interface Run {
  readonly claim: string | undefined;
  readonly code: number | null;
  readonly signal: string | null;
}

/** Tests that touch no disk but the model's: they can be ended at any time and leave nothing behind. */
const modelTests = ['fault/power-failures', 'fault/disk-faults', 'fault/failed-calls', 'fault/segment-damage'];

/** `isBrief`: a long test is over with the first claim that fails. */
async function run(build: Build, finder: string, seed: number, isBrief: boolean): Promise<Run> {
  const path = join(build.directory, 'dist/test', `${finder}.test.js`);
  const child = spawn(process.execPath, [path], {
    cwd: build.directory,
    env: { ...process.env, SEED: String(seed), TMPDIR: build.temporary, TAP: '1', TAP_TIMEOUT: '600' },
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: finderTimeoutMs,
    killSignal: 'SIGKILL',
  });
  const exit = once(child, 'exit');
  let subtest = '';
  let claim: string | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    subtest = /^# Subtest: (.*)/.exec(line)?.[1] ?? subtest;
    const failed = /^ *not ok \d+ - (.*)/.exec(line)?.[1];
    if (claim !== undefined || failed === undefined || /timeout/.test(failed)) continue;
    claim = subtest === '' ? failed : subtest;
    if (isBrief && modelTests.includes(finder)) child.kill('SIGKILL');
  }
  const [code, signal] = (await exit) as [number | null, string | null];
  return { claim, code, signal };
}
