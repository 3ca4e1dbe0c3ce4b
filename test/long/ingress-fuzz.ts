/**
 * A million mutants against the ingress of one daemon: minutes, so not a part of `npm test`. `FUZZ_MUTANTS` and `SEED` set another
 * size and repeat a run.
 */
import t from 'tap';
import { claimsOfFuzz } from '../stress/fuzz-claims.ts';

const mutants = Number(process.env['FUZZ_MUTANTS'] ?? 1_000_000);
const seed = Number(process.env['SEED'] ?? 20_261_124);

const timeoutMs = 600_000;

t.setTimeout(timeoutMs);
t.test(`${mutants} mutants`, { timeout: timeoutMs }, (t) => claimsOfFuzz(t, { mutants, seed }));
