/**
 * What every long lane is: a program that names its seed, prints its figures and checks its claims, and exits with 0 when all
 * hold, else with 1. Each file directly in test/long is one; `run.ts` runs them. Whatever a lane has started is ended with it.
 *
 *   node dist/test/long/outage.js [--seed N] [--scale SHARE] [--svg FILE]
 *
 * `--scale 0.01` makes a lane a hundredth as long, to try it out: the figures then mean little. `--svg` is for lanes that draw.
 */
import { parseArgs } from 'node:util';
import type { Ending } from '../../daemon/running.ts';

export class Lane implements Ending {
  readonly seed: number;
  /** Where a drawing is to go. */
  readonly svg: string | undefined;
  readonly #scale: number;
  readonly #endings: (() => Promise<void>)[] = [];
  #random: number;
  #failed = 0;

  constructor(seed: number, scale: number, svg?: string) {
    this.seed = seed;
    this.svg = svg;
    this.#random = seed;
    this.#scale = scale;
  }

  get failed(): boolean {
    return this.#failed > 0;
  }

  /** Ends what a lane has started, last first. */
  teardown(end: () => Promise<void>): void {
    this.#endings.push(end);
  }

  async end(): Promise<void> {
    for (const end of this.#endings.splice(0).toReversed()) await end();
  }

  /** A number of events, rounds or milliseconds, at the scale of this run; at least `least`. */
  sized(full: number, least = 1): number {
    return Math.max(least, Math.round(full * this.#scale));
  }

  /** The next number of [0, 1) from the lane's seed. */
  random(): number {
    // A linear congruential generator (Numerical Recipes): enough to choose moments and places.
    this.#random = (Math.imul(this.#random, 1_664_525) + 1_013_904_223) >>> 0;
    return this.#random / 2 ** 32;
  }

  figure(what: string, value: string | number): void {
    print(`     ${what.padEnd(46)} ${typeof value === 'number' ? thousands(value) : value}`);
  }

  /** A line as it is, such as a row of a Markdown table. */
  line(text: string): void {
    print(text);
  }

  /** A claim, and what was found. */
  check(claim: string, holds: boolean, found: string | number = ''): void {
    if (!holds) this.#failed++;
    print(`${holds ? 'ok  ' : 'NOT '} ${claim}${found === '' ? '' : `: ${found}`}`);
  }
}

/** Runs a lane as this process's only business. */
export async function runLane(title: string, body: (lane: Lane) => Promise<void>): Promise<void> {
  const { values } = parseArgs({
    options: { seed: { type: 'string' }, scale: { type: 'string', default: '1' }, svg: { type: 'string' } },
  });
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
  const lane = new Lane(seed, Number(values.scale), values.svg);
  const startedMs = performance.now();
  print(`${title} (seed ${seed}${values.scale === '1' ? '' : `, scale ${values.scale}`})`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void lane.end().then(() => process.exit(1)));
  }
  try {
    await body(lane);
  } catch (error) {
    lane.check('the lane runs to its end', false, error instanceof Error ? (error.stack ?? error.message) : '');
  }
  await lane.end();
  lane.figure('took', `${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
  process.exitCode = lane.failed ? 1 : 0;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function thousands(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 2 });
}
