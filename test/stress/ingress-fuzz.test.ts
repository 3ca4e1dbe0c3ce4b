import t from 'tap';
import { claimsOfFuzz } from './fuzz-claims.ts';

/** `FUZZ_MUTANTS` and `SEED` set another size and repeat a run. */
const mutants = Number(process.env['FUZZ_MUTANTS'] ?? 50_000);
const seed = Number(process.env['SEED'] ?? 20_261_124);

t.test(
  `${mutants} mutants: no crash, no growth, an outcome for each, and nothing else lost`,
  { timeout: 110_000 },
  (t) => claimsOfFuzz(t, { mutants, seed }),
);
