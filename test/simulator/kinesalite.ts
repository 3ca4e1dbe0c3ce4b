/**
 * Starts kinesalite for a test and keeps watch over it: a request that it does not survive fails by name instead of leaving the
 * test to wait. Gone after the test.
 */
import { type ChildProcess, fork } from 'node:child_process';
import type { Test } from 'tap';
import { type Ask, ask, keepAlive, whenActive } from './raw.ts';

const readyMsMax = 20_000;

export interface Kinesalite {
  readonly ask: Ask;
  /** Makes a stream and waits until it can be used. */
  create(stream: string, shards: number): Promise<void>;
  /** Resolves with the exit code when it ends, which only a request that it does not survive makes it do. */
  readonly ended: Promise<number | null>;
}

/** `stderr`: where its stack goes when it ends by itself; a test that wants it to end keeps the output quiet. */
export async function kinesaliteFor(t: Test, stderr: 'inherit' | 'ignore' = 'inherit'): Promise<Kinesalite> {
  const child = fork(new URL('./kinesalite-child.js', import.meta.url), {
    execArgv: [],
    stdio: ['ignore', 'inherit', stderr, 'ipc'],
  });
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const agent = keepAlive();
  t.teardown(async () => {
    agent.destroy();
    child.kill('SIGKILL');
    await ended;
  });
  const url = `http://127.0.0.1:${await port(child, ended)}`;
  const guarded: Ask = (asked) => {
    const gone = ended.then((code) => {
      const what = `${asked.operation} ${JSON.stringify(asked.body).slice(0, 200)}`;
      throw new Error(`kinesalite ended with ${code} at ${what}`);
    });
    return Promise.race([ask(url, asked, agent), gone]);
  };
  return {
    ended,
    ask: guarded,
    create: async (StreamName, ShardCount) => {
      const asked = { operation: 'CreateStream', body: { StreamName, ShardCount } };
      await guarded(asked);
      await whenActive(guarded, asked);
    },
  };
}

function port(child: ChildProcess, ended: Promise<number | null>): Promise<number> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`kinesalite was not ready within ${readyMsMax} ms`)), readyMsMax);
    child.once('message', (message) => {
      clearTimeout(timer);
      resolve(message as number);
    });
    void ended.then((code) => {
      clearTimeout(timer);
      reject(new Error(`kinesalite ended with ${code} before it was ready`));
    });
  });
}
