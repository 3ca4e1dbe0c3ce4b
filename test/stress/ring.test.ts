import { test } from 'tap';
import { mutants } from '../model/mutants/mutants.ts';
import { buildRing } from '../model/ring-build.ts';
import { stressRing } from './producer.ts';
import { stresses } from './stresses.ts';

const messagesOfAll = 5_000_000;

/** A mistake shows when the threads run at the same moment; on a busy machine that may need more than one attempt. */
const mutantMessages = 1_000_000;
const attempts = [1, 2, 3].flatMap(() => Object.values(stresses));

for (const [name, stress] of Object.entries(stresses)) {
  test(`two threads, no message lost, doubled, torn or out of order: ${name}`, async (t) => {
    const messages = messagesOfAll * stress.share;
    const report = await stressRing({ ...stress, messages });
    t.comment(`${Math.round(messages / report.seconds)} messages/s, ${report.sleeps} sleeps, ${report.wraps} wraps`);
    t.match(report, { broken: undefined, received: messages, skipped: 0, repeated: 0, torn: 0 });
    t.ok(report.sleeps >= messages / stress.sleepEvery - 1, 'the consumer slept and was woken');
    t.ok(report.wraps >= (stress.startPosition === 0 ? 0 : 1), 'the positions wrapped');
  });
}

for (const mutant of mutants.filter(({ stressCatches }) => stressCatches)) {
  test(`two threads show the seeded mistake ${mutant.name}`, async (t) => {
    const build = buildRing({ mutant, inSteps: false });
    t.teardown(build.remove);
    const modules = { producer: build.url('producer'), consumer: build.url('consumer'), waiting: build.url('waiting') };
    const shown: string[] = [];
    for (const stress of attempts) {
      const messages = mutantMessages * stress.share;
      const { seconds: _, ...report } = await stressRing({ ...stress, messages, modules, stuckMs: 500 });
      if (report.broken === undefined && report.skipped + report.repeated + report.torn === 0) continue;
      shown.push(JSON.stringify(report));
      break;
    }
    t.comment(shown.join());
    t.equal(shown.length, 1, 'by a fault, or by threads that do not come to an end');
  });
}
