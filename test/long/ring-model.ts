/**
 * Lane: every state of larger models of the ring than `npm test` has time for: a worker and a producer that die in one run,
 * entries that go to the DLQ across a death, two deaths, a ring of eight units. Needs Spin.
 */
import { cannotRunModel, type ModelSize, searchModel } from '../model/spin-model.ts';

const small = { capacity: 4, longest: 2 };
const sizes: Readonly<Record<string, ModelSize>> = {
  'both ends die': { ...small, messages: 2, workerDeaths: 1, producerDeaths: 1, asides: 0 },
  'two workers die': { ...small, messages: 2, workerDeaths: 2, producerDeaths: 0, asides: 0 },
  'a worker dies while an entry goes to the DLQ': {
    ...small,
    messages: 2,
    workerDeaths: 1,
    producerDeaths: 0,
    asides: 2,
  },
  'a larger ring': { capacity: 8, longest: 4, messages: 3, workerDeaths: 1, producerDeaths: 0, asides: 0 },
};

const missing = cannotRunModel();
if (missing !== false) process.stdout.write(`skipped: ${missing}\n`);
else {
  for (const [name, size] of Object.entries(sizes)) {
    const { states, seconds, violation } = await searchModel(size);
    const found = `${states} states, ${seconds.toFixed(1)} s`;
    process.stdout.write(`${violation === undefined ? 'ok ' : 'NOT'} ${name}: ${found}${violation ?? ''}\n`);
    if (violation !== undefined) process.exitCode = 1;
  }
}
