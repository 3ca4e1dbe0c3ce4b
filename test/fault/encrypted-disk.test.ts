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
  holdsEncrypted(t, await kills(seed, 100, true), 100);
});

t.test('encrypted, what was acknowledged is there whatever a power cut leaves', async (t) => {
  holdsEncrypted(t, await powerFailures(seed, 300, undefined, true), 300);
});

t.test('encrypted, what was acknowledged is there when calls of the disk fail, once or for good', async (t) => {
  holdsEncrypted(t, await failedCalls(seed, 1, true, 11), 200);
});
