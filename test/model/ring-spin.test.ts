import { test } from 'tap';
import { bookMutants, mutants } from './mutants/mutants.ts';
import { cannotRunModel, type ModelSize, searchModel } from './spin-model.ts';

const skip = cannotRunModel();

/** Two entries fill the ring; long enough for every mutant. Larger sizes are in test/long/ring-model.ts. */
const size: ModelSize = { capacity: 4, longest: 2, messages: 3, workerDeaths: 0, producerDeaths: 0, asides: 1 };
const worker: ModelSize = { ...size, workerDeaths: 1, asides: 0 };
const producer: ModelSize = { ...size, messages: 2, producerDeaths: 1, asides: 0 };

const claims: Readonly<Record<string, ModelSize>> = {
  'nothing is lost, doubled, torn, out of order or slept over': size,
  'nor when the worker dies at any step, and the books stay exact': worker,
  'nor when the producer dies between claim and publish': producer,
};
for (const [claim, claimed] of Object.entries(claims)) {
  test(`in every state of the model ${claim}`, { skip, timeout: 120_000 }, async (t) => {
    const { states, seconds, violation } = await searchModel(claimed);
    t.comment(`${states} states in ${seconds.toFixed(1)} s`);
    t.equal(violation, undefined);
    t.ok(states > 100_000, 'there was something to search');
  });
}

for (const { number, name } of [...mutants, ...bookMutants]) {
  test(`the model finds the seeded mistake ${name}`, { skip, timeout: 120_000 }, async (t) => {
    const { states, violation } = await searchModel(worker, number);
    t.comment(`${violation}, after ${states} states`);
    t.match(violation, /^assertion violated|^invalid end state/);
  });
}
