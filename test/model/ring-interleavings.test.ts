/** Every interleaving of the real ring's code at its Atomics, on one thread; and the seeded mistakes, which must be found. */
import { test } from 'tap';
import { mutants } from './mutants/mutants.ts';
import { buildRing } from './ring-build.ts';
import { exploreRing } from './ring-explorer.ts';
import { scenarios } from './ring-scenarios.ts';

/** Far above what any scenario has; a scenario that reaches it was made too large. */
const statesMax = 300_000;

for (const [name, scenario] of Object.entries(scenarios)) {
  test(`in no interleaving is an entry lost, torn, reordered or a wake-up missed: ${name}`, async (t) => {
    const build = buildRing({ inSteps: true });
    t.teardown(build.remove);
    const { states, runs, violation } = await exploreRing(build, scenario, statesMax);
    t.comment(`${states} states, ${runs} runs`);
    t.equal(violation, undefined);
    t.ok(states > 100, 'there was something to explore');
  });
}

for (const mutant of mutants) {
  test(`the interleavings find the seeded mistake ${mutant.name}`, async (t) => {
    const build = buildRing({ mutant, inSteps: true });
    t.teardown(build.remove);
    const violations: string[] = [];
    for (const scenario of Object.values(scenarios)) {
      const { violation } = await exploreRing(build, scenario, statesMax);
      if (violation !== undefined) {
        violations.push(violation);
        break;
      }
    }
    t.comment(violations.join());
    t.equal(violations.length, 1);
    t.notMatch(violations.join(), /states$|is not a function|undefined \(reading/, 'a violation of the protocol');
  });
}
