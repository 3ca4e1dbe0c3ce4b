/** All seeded mistakes of the disk. Test code only; the long lane `disk-mutants` hunts for each. */
import { controlBuilds } from './control-builds.ts';
import { givingBackMutants } from './giving-back.ts';
import type { DiskMutant } from './mutant.ts';
import { readingMutants } from './reading.ts';
import { writingMutants } from './writing.ts';

export const diskMutants: readonly DiskMutant[] = [
  ...controlBuilds,
  ...writingMutants,
  ...readingMutants,
  ...givingBackMutants,
];
