/**
 * Lane: a hundred million messages through the ring between two threads, over tiny and large rings and wrapped positions. What
 * must not be: a message lost, doubled, torn or out of order, or a thread that waits for ever.
 */
import { stressRing } from '../stress/producer.ts';
import { stresses } from '../stress/stresses.ts';

const messages = 100_000_000 / Object.keys(stresses).length;
let seconds = 0;
let failed = false;
for (const [name, stress] of Object.entries(stresses)) {
  const report = await stressRing({ ...stress, messages });
  const { broken, received, skipped, repeated, torn, sleeps, wraps } = report;
  seconds += report.seconds;
  const isGood = broken === undefined && received === messages && skipped + repeated + torn === 0;
  if (!isGood) failed = true;
  const found = `${skipped} lost, ${repeated} doubled or out of order, ${torn} torn, ${sleeps} sleeps, ${wraps} wraps`;
  print(
    `${isGood ? 'ok ' : 'NOT'} ${name}: ${received} messages, ${found}${broken === undefined ? '' : `: ${broken}`}`,
  );
}
print(`    ${Math.round(100_000_000 / seconds)} messages/s, ${seconds.toFixed(1)} s`);
process.exitCode = failed ? 1 : 0;

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
