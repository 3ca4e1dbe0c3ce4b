import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { readSeries } from './independent-reader.ts';
import { eventOf, longDataOf, Queue, temporaryDirectory } from './queue.ts';

const child = fileURLToPath(new URL('./kill-child.js', import.meta.url));
const seed = Number(process.env['SEED'] ?? 20_261_124);

/** Numbers in [0, 1) from the seed. */
function dice(): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

interface Life {
  /** All events below it were acknowledged as written. */
  readonly written: number;
  readonly delivered: readonly number[];
}

/** Runs the child, kills it `afterMs` after it was ready, and gives what it had said. */
async function live(directory: string, fsync: string, first: number, mode: string, afterMs: number): Promise<Life> {
  const worker = spawn(process.execPath, [child, directory, fsync, String(first), mode], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  worker.stdout.setEncoding('latin1').on('data', (text: string) => {
    if (said === '') setTimeout(() => worker.kill('SIGKILL'), afterMs);
    said += text;
  });
  const signal = await new Promise((resolve) => worker.once('close', (_code, name) => resolve(name)));
  if (signal !== 'SIGKILL') throw new Error(`the child ended by itself: ${String(signal)}`);
  const lines = said.split('\n').slice(0, -1);
  const numbers = (letter: string): number[] =>
    lines.filter((line) => line.startsWith(`${letter} `)).map((line) => Number(line.slice(2)));
  return { written: numbers('w').at(-1) ?? first, delivered: numbers('d') };
}

/** Number of an event that is as it was appended, whatever its attempts; throws when it is not. */
function idOf({ data, key, firstSeenUs }: { data: string; key: string; firstSeenUs: number }): number {
  const id = Number(data.split(':')[0]);
  const expected = eventOf(id, longDataOf(id));
  if (data !== expected.data || key !== expected.key || firstSeenUs !== expected.firstSeenUs) {
    throw new Error(`altered event ${id}: ${data.slice(0, 80)}`);
  }
  return id;
}

for (const [fsync, kills, least] of [
  ['none', 10, 200],
  ['each', 6, 40],
] as const) {
  t.test(
    `killed at any time while it spills (fsync ${fsync}), every whole entry is found, and all that was acknowledged`,
    async (t) => {
      t.comment(`SEED=${seed}`);
      const random = dice();
      const directory = temporaryDirectory(t);
      let next = 0;
      let torn = 0;
      let spilled: number[] = [];
      // On a busy machine a life is short: there are more of them then, so that something is there to be lost.
      for (let kill = 0; kill < kills || (next <= least && kill < 10 * kills); kill++) {
        const { written } = await live(directory, fsync, next, 'spill', random() * 20);
        const whole = readSeries(directory, 'spill').length;
        const queue = await Queue.open({ teardown: () => undefined }, directory);
        torn += queue.reported('torn').length;
        spilled = (await queue.replay()).map(idOf);
        await queue.close();
        if (spilled.length !== whole) t.fail(`kill ${kill}: ${spilled.length} of ${whole} whole entries`);
        if (spilled.length < written) t.fail(`kill ${kill}: ${spilled.length} of ${written} acknowledged events`);
        const isInOrder = spilled.every((id, index) => id === index);
        if (!isInOrder) t.fail(`kill ${kill}: not in order, or not once`);
        next = spilled.length;
      }
      t.ok(next > least, `${next} events, ${torn} torn tails`);
    },
  );
}

t.test('killed at any time while it replays, every acknowledged event was delivered or is still there', async (t) => {
  t.comment(`SEED=${seed}`);
  const random = dice();
  const directory = temporaryDirectory(t);
  const acknowledged = new Set<number>();
  const delivered = new Map<number, number>();
  let next = 0;
  let left: number[] = [];
  for (let kill = 0; kill < 12; kill++) {
    const life = await live(directory, 'none', next, 'replay', random() * 300);
    for (let id = next; id < life.written; id++) acknowledged.add(id);
    for (const id of life.delivered) delivered.set(id, (delivered.get(id) ?? 0) + 1);
    const queue = await Queue.open({ teardown: () => undefined }, directory);
    left = (await queue.replay()).map(idOf);
    await queue.close();
    const there = new Set(left);
    const lost = [...acknowledged].filter((id) => !there.has(id) && !delivered.has(id));
    if (lost.length > 0) t.fail(`kill ${kill}: lost ${lost.slice(0, 10).join(' ')}`);
    // A burst may be on disk without having been acknowledged; its numbers are not used again.
    next = Math.max(life.written, ...left.map((id) => id + 1), ...life.delivered.map((id) => id + 1));
  }
  t.ok(acknowledged.size > 200, `${acknowledged.size} acknowledged`);
  t.ok(delivered.size > 200, `${delivered.size} delivered, ${left.length} left`);
  t.ok(left.length < acknowledged.size, 'checkpoints gave room back');
});
