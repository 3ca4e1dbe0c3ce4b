/**
 * The threads that lanes run on: a Piscina whose workers load the lane's code as soon as they are made, before there is a
 * task. Main thread; made at the very start, because a worker needs longer to load the SDK than the main thread needs for all
 * of its own start, and the two go on side by side. `pool.ts` gives the threads their tasks and replaces lost ones.
 */
import { Piscina } from 'piscina';

/** Heap of one lane worker. What it works on lies in the arena; beyond this something is wrong, and it is replaced. */
const laneHeapMiB = 192;

/** One thread per lane, loading. */
export function startWorkers(lanes: number): Piscina {
  const piscina = new Piscina({
    filename: new URL('./lane.js', import.meta.url).href,
    minThreads: lanes,
    maxThreads: lanes,
    idleTimeout: Number.POSITIVE_INFINITY,
    // The default blocks an idle worker's event loop.
    atomics: 'disabled',
    recordTiming: false,
    resourceLimits: { maxOldGenerationSizeMb: laneHeapMiB },
  });
  // A lost worker is heard of through its task; without a listener Piscina's own event would end the process.
  piscina.on('error', () => {});
  return piscina;
}
