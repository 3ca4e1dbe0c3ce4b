/** How many lane workers a daemon has where `daemon.lanes` is 0. Main thread; pure; called by the config loader. */

/** Most lanes that are chosen unasked: beyond this the main thread, which feeds them all, is the bottleneck. */
const chosenLanesMax = 4;

/**
 * A ring keeps what is in flight until it is answered: smaller than this, it would hold up requests before their turn. One lane on
 * two cores delivers a million events of 200 bytes a second, so fewer lanes with room are worth more than many without.
 */
const ringBytesWorthALane = 32 * 1024 * 1024;

/** The cores beside the main thread's, as far as each lane gets a ring worth having (`ringBytes`: of each of so many); at least one. */
export function chosenLanes(cores: number, ringBytes: (lanes: number) => number): number {
  let lanes = Math.min(chosenLanesMax, cores - 1);
  while (lanes > 1 && ringBytes(lanes) < ringBytesWorthALane) lanes--;
  return Math.max(1, lanes);
}
