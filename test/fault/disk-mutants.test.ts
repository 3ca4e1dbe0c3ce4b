import t from 'tap';
import { seed } from './held.ts';
import { build, mutated } from './mutants/build.ts';
import { controlBuilds } from './mutants/control-builds.ts';
import { hunt } from './mutants/hunt.ts';
import { diskMutants } from './mutants/mutants.ts';

t.test('each seeded mistake still finds its place in the source, once', async (t) => {
  for (const mutant of diskMutants) t.doesNotThrow(() => mutated(mutant), mutant.name);
  t.ok(diskMutants.length >= 25, `${diskMutants.length} mistakes`);
});

for (const mutant of controlBuilds) {
  t.test(`the tests find: ${mutant.name}`, async (t) => {
    const copy = build(mutant);
    t.teardown(copy.remove);
    const found = await hunt(copy, mutant.finders, seed);
    t.comment(found === undefined ? 'nothing' : `${found.finder}: ${found.claim}`);
    t.not(found, undefined);
  });
}
