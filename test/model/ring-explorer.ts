/**
 * Plays every interleaving of ring-programs.ts, one producer and one consumer over the real ring's code, on one thread. Test
 * code only.
 *
 * The explorer resumes one program at a time; at every point with a choice it comes back later and takes the other one
 * (replaying the way there, for a generator cannot be copied). A state, that is memory, both ends' fields and both places in
 * their programs, is followed only the first time it is met. The consumer may also die at any point, once, and be replaced.
 * The states are finite, because each program ends after its last value.
 */
import type { RingBuild } from './ring-build.ts';
import { type Classes, check, consume, type Program, produce, type Scenario, World } from './ring-programs.ts';

export interface Exploration {
  readonly states: number;
  readonly runs: number;
  /** What went wrong, with the schedule that led there; undefined when nothing did. */
  readonly violation: string | undefined;
}

/** Resumes one program after the other as `choices` says (then the first that can run), noting how many could have run. */
function play(world: World, choices: number[], options: number[], seen: Set<string>): void {
  const programs: { program: Program; ready: () => boolean; finished: boolean }[] = [];
  const start = (index: number, program: Program): void => {
    programs[index] = { program, ready: () => true, finished: false };
  };
  start(0, produce(world));
  start(1, consume(world));
  const replayed = choices.length;
  for (let step = 0; programs.some(({ finished }) => !finished); step++) {
    const runnable = [0, 1].filter((index) => !programs[index]!.finished && programs[index]!.ready());
    check(runnable.length > 0, `for ever: ${world.spot.producer}, ${world.spot.consumer}`);
    const mayDie = world.scenario.consumerDies && !world.hasDied && !programs[1]!.finished;
    options[step] = runnable.length + (mayDie ? 1 : 0);
    if (step >= replayed) {
      const state = world.state();
      if (seen.has(state)) return;
      seen.add(state);
      choices.push(0);
    }
    const chosen = runnable[choices[step]!];
    if (chosen === undefined) {
      start(1, world.replaceConsumer());
      continue;
    }
    const { done, value } = programs[chosen]!.program.next();
    programs[chosen]!.finished = done === true;
    programs[chosen]!.ready = typeof value === 'function' ? value : () => true;
  }
}

/** Explores a scenario over a stepped build of the ring, up to `statesMax` states; stops at the first violation. */
export async function exploreRing(build: RingBuild, scenario: Scenario, statesMax: number): Promise<Exploration> {
  const classes: Classes = {
    Producer: (await import(build.url('producer'))).RingProducer,
    Consumer: (await import(build.url('consumer'))).RingConsumer,
    Waiter: (await import(build.url('waiting'))).RingWaiter,
  };
  const seen = new Set<string>();
  let choices: number[] = [];
  let runs = 0;
  for (;;) {
    const options: number[] = [];
    runs += 1;
    try {
      play(new World(classes, scenario), choices, options, seen);
    } catch (error) {
      return { states: seen.size, runs, violation: `${(error as Error).message}; schedule ${choices.join('')}` };
    }
    if (seen.size > statesMax) return { states: seen.size, runs, violation: `more than ${statesMax} states` };
    // The deepest point with an option left; what lies behind it is explored.
    let depth = choices.length - 1;
    while (depth >= 0 && choices[depth]! + 1 >= options[depth]!) depth -= 1;
    if (depth < 0) return { states: seen.size, runs, violation: undefined };
    choices = [...choices.slice(0, depth), choices[depth]! + 1];
  }
}
