/**
 * Runs the built binary as a user would, for the tests of commands. Only tests import it; each run is a process of its own with
 * an environment that holds nothing of the caller's but PATH.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const binary = fileURLToPath(new URL('../../src/main.js', import.meta.url));

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `spillway` to its end, at most 30 seconds. */
export function spillway(
  arguments_: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const env = { PATH: process.env['PATH'] ?? '', ...environment };
  return new Promise((resolve) => {
    execFile(process.execPath, [binary, ...arguments_], { env, timeout: 30_000 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : Number(error.code ?? 128);
      resolve({ code, stdout, stderr });
    });
  });
}
