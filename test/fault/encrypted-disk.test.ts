import t, { type Test } from 'tap';
import { type Findings, failedCalls, kills, powerFailures } from './disk-campaigns.ts';
import { seed } from './held.ts';

function holdsEncrypted(t: Test, { cases, struck, acknowledged, broken }: Findings, least: number): void {
  t.comment(`SEED=${seed}: ${cases} cases, ${struck} struck, ${acknowledged} acknowledged events`);
  t.strictSame(broken, []);
  t.ok(cases >= least, `${cases} cases`);
  t.ok(struck >= cases / 2 && acknowledged >= 5 * cases, `${struck} struck, ${acknowledged} acknowledged events`);
}

t.test('encrypted, what was acknowledged is there after a kill, whatever the step', async (t) => {
  holdsEncrypted(t, await kills(seed, 200, true), 200);
});

t.test('encrypted, what was acknowledged is there whatever a power cut leaves', async (t) => {
  holdsEncrypted(t, await powerFailures(seed, 500, undefined, true), 500);
});

t.test('encrypted, what was acknowledged is there whichever call of the disk fails, once or for good', async (t) => {
  holdsEncrypted(t, await failedCalls(seed, 1, true), 300);
});
