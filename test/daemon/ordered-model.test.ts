import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { seeded } from '../stress/seeded.ts';
import { OrderedModel } from './ordered-model.ts';

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const runs = 12;
const keys = 7;

interface Sent {
  readonly accepted: number[][];
}

/** Offers, lane steps, time and outages in the order of the dice; ends with the destination up and all events delivered. */
async function play(
  model: OrderedModel,
  below: ReturnType<typeof seeded>,
  sent: Sent,
  steps: number,
): Promise<string[]> {
  const faults: string[] = [];
  let isUp = true;
  let next = Math.max(0, ...sent.accepted.flat()) + 1;
  const setUp = (up: boolean): void => {
    isUp = up;
    for (const lane of model.lanes) lane.show(up);
  };
  for (let step = 0; step < steps; step++) {
    if (below(150) === 0) setUp(!isUp);
    if (below(8) === 0) {
      for (let left = below(12); left > 0; left--, next++) {
        const key = below(keys);
        if (model.offer(key, next)) sent.accepted[key]?.push(next);
        // Lanes are other threads: they go on while the main thread is in the midst of a read.
        for (let aside = below(4) === 0 ? below(60) : 0; aside > 0; aside--) {
          for (const lane of model.lanes) lane.step(isUp);
        }
      }
      model.commit();
    }
    for (const lane of model.lanes) lane.step(isUp);
    if (below(6) === 0) await model.pass(below(12));
    const { accepted, inFlight, dlq } = model.books();
    const delivered = model.lanes.reduce((sum, lane) => sum + lane.delivered, 0);
    if (accepted + recovered(model) !== delivered + inFlight + dlq) faults.push(`books of step ${step}`);
  }
  setUp(true);
  return faults;
}

const found = new WeakMap<OrderedModel, number>();
const recovered = (model: OrderedModel): number => found.get(model) ?? 0;

/** Goes on without senders until nothing is left; a fault when that does not come. */
async function drain(model: OrderedModel): Promise<string[]> {
  for (let left = 20_000; left > 0; left--) {
    for (const lane of model.lanes) lane.step(true);
    if (left % 5 === 0) await model.pass(5);
    const { inFlight, dlq } = model.books();
    if (inFlight === 0 && dlq === 0 && model.order.state === 'direct') return [];
  }
  return [`not drained: ${JSON.stringify(model.books())}, ${model.order.state}`];
}

/** What was delivered by lanes, one after the other where there were several lives, by key. */
function deliveredOf(models: readonly OrderedModel[], key: number): number[] {
  return models.flatMap(({ lanes }) => lanes.flatMap(({ log }) => log.get(`k${key}`) ?? []));
}

function temporaryDirectory(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'spillway-order-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

t.test('whatever the timing, each key keeps its order, nothing is lost or doubled, and the books hold', async (t) => {
  t.comment(`SEED=${seed}`);
  const visited = new Set<string>();
  for (let run = 0; run < runs; run++) {
    const below = seeded(seed + run);
    const model = await OrderedModel.open(temporaryDirectory(t), below, 1_000);
    const sent = { accepted: Array.from({ length: keys }, (): number[] => []) };
    const faults = [...(await play(model, below, sent, 2_500)), ...(await drain(model))];
    for (let key = 0; key < keys; key++) {
      const delivered = deliveredOf([model], key);
      if (delivered.join() !== sent.accepted[key]?.join()) {
        faults.push(`run ${run}, k${key}: ${delivered.join(' ')} instead of ${sent.accepted[key]?.join(' ')}`);
      }
    }
    if (faults.length > 0) t.fail(`run ${run}: ${faults.slice(0, 3).join('\n')}`);
    model.states.forEach((state, i) => visited.add(`${model.states[i - 1] ?? 'direct'} ${state}`));
    await model.crash();
  }
  for (const move of ['direct parking', 'parking parked', 'parked replaying', 'replaying parking', 'joining direct']) {
    t.ok(visited.has(move), move);
  }
});

t.test('after a crash in the midst of it, the DLQ gives back what it had in the order of each key', async (t) => {
  t.comment(`SEED=${seed}`);
  for (let run = 0; run < runs; run++) {
    const below = seeded(seed + 1_000 + run);
    const directory = temporaryDirectory(t);
    const first = await OrderedModel.open(directory, below, 1_000);
    const sent = { accepted: Array.from({ length: keys }, (): number[] => []) };
    const faults = await play(first, below, sent, 200 + below(1_500));
    await first.crash();
    const second = await OrderedModel.open(directory, below, first.nowMs);
    found.set(second, second.books().dlq);
    if (second.books().dlq > 0) t.equal(second.order.state, 'replaying');
    faults.push(...(await play(second, below, sent, 500)), ...(await drain(second)));
    for (let key = 0; key < keys; key++) {
      // What was in a ring is lost with its memory; what the DLQ had may come twice. By first occurrence nothing goes back.
      const order = [...new Set(deliveredOf([first, second], key))];
      if (order.some((id, i) => id < (order[i - 1] ?? 0))) faults.push(`run ${run}, k${key}: ${order.join(' ')}`);
    }
    if (faults.length > 0) t.fail(`run ${run}: ${faults.slice(0, 3).join('\n')}`);
    await second.crash();
  }
  t.pass();
});

t.test('an event that is replayed keeps its failed attempts', async (t) => {
  const directory = temporaryDirectory(t);
  const below = seeded(seed);
  const first = await OrderedModel.open(directory, below, 1_000);
  for (const attempts of [0, 5, 70_000]) first.spill(attempts % keys, attempts, attempts);
  await first.crash();
  const second = await OrderedModel.open(directory, below, 2_000);
  t.strictSame(await drain(second), []);
  const attempts = second.lanes.flatMap((lane) => [...lane.attempts]).sort(([a], [b]) => a - b);
  t.strictSame(
    attempts,
    [
      [0, 0],
      [5, 5],
      [70_000, 0x7fff],
    ],
    'as many as a ring can count',
  );
  await second.crash();
});
