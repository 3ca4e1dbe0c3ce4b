/**
 * Where in its work with files the DLQ is killed by name: for the campaigns of kills and power cuts. Calls are those of
 * doomed-files.ts; a campaign that never comes by one of them fails.
 */
import type { Step } from './doomed-files.ts';

/** Leaves a tail that the next start has to keep and cut off. */
export const tornSpill: Step = ['write spill', 'half'];

/** A segment is full, or its reader has caught up: it is synced and closed, and the next one begun. */
export const inSeal: readonly Step[] = [
  ['sync spill', 'before'],
  ['sync spill', 'after'],
  ['close spill', 'before'],
  ['close spill', 'after'],
  ['create spill', 'after'],
  tornSpill,
  ['sync names', 'after'],
];

/** Written, synced, renamed, its name synced. */
export const inCheckpoint: readonly Step[] = [
  ['create checkpoint', 'after'],
  ['write checkpoint', 'half'],
  ['sync checkpoint', 'before'],
  ['rename checkpoint', 'before'],
  ['rename checkpoint', 'after'],
  ['sync checkpoint names', 'before'],
  ['sync checkpoint names', 'after'],
];

export const inUnlink: readonly Step[] = [
  ['unlink spill', 'before'],
  ['unlink spill', 'after'],
  ['unlink journal', 'before'],
  ['unlink journal', 'after'],
];

export const inJournal: readonly Step[] = [
  ['write marks', 'before'],
  ['write marks', 'half'],
  ['write marks', 'after'],
  ['create journal', 'after'],
  ['write journal', 'half'],
  ['sync journal', 'before'],
  ['sync journal', 'after'],
  ['close journal', 'after'],
];

/** Of what a torn write left. */
export const inRecovery: readonly Step[] = [
  ['write quarantine', 'half'],
  ['rename quarantine', 'before'],
  ['truncate spill', 'before'],
  ['truncate spill', 'after'],
];
