/**
 * Lives of a real process on a real DLQ, one after the other on the same directory, each ended by SIGKILL, at a random moment or at a
 * failpoint; each recovers what the one before it left. Used by the tests and long lanes of kills, and of power cuts.
 *
 * ```
 *   generation: a new directory ─▶ life, killed [─▶ power cut] ─▶ life, killed ─▶ ... ─▶ a last one takes out all, and ends in order ─▶ judged
 * ```
 * Two generations run side by side: one waits for the disk or for a process to start while the other works.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { FsyncPolicy } from '../../src/dlq/options.ts';
import { RandomSequence } from '../../src/simulator/random-sequence.ts';
import type { Lie, Step } from './doomed-files.ts';
import type { LifePlan } from './doomed-life.ts';
import { inRecovery, tornSpill } from './failpoints.ts';
import { LifeOracle } from './life-oracle.ts';

export interface Campaign {
  readonly seed: number;
  readonly kills: number;
  /** In turns, by generation, as the policies of syncs are. */
  readonly works: readonly ('all' | 'replay')[];
  /** In turns, by generation. */
  readonly fsyncs: readonly FsyncPolicy[];
  /** Calls at which lives are killed, and when; of the others, the moment is random. */
  readonly failpoints: readonly Step[];
  /** Share of the lives that are to die at a failpoint. */
  readonly aimed: number;
  /** Where directories are made: one for each generation that runs at a time. */
  readonly places: readonly Place[];
  readonly killsPerGeneration?: number;
  readonly lie?: Lie;
  readonly promisesEarly?: boolean;
}

export interface Place {
  readonly directory: string;
  /** What comes behind a kill; nobody has a file open there. */
  readonly cut?: () => Promise<void>;
}

export interface CampaignReport {
  readonly kills: number;
  /** By failpoint, how often a life died there. */
  readonly struck: ReadonlyMap<string, number>;
  /** Kills before the DLQ was open. */
  readonly killsInStarts: number;
  readonly acknowledged: number;
  readonly delivered: number;
  readonly altered: number;
  readonly duplicates: number;
  /** Events that lives had handled, and nothing covered, at their kills; and the most of one. */
  readonly uncovered: number;
  readonly uncoveredMost: number;
  readonly slowestOpenMs: number;
  /** What must never be, with the seed of the generation. */
  readonly broken: readonly string[];
  /** Kills until the first generation that broke something was over. */
  readonly killsUntilBroken: number;
}

const child = fileURLToPath(new URL('./doomed-life.js', import.meta.url));
const killsPerGenerationDefault = 20;
/**
 * Lives are measured by what they have done, so that they do as much on a busy machine: a life says so many lines at most, once it
 * has opened the DLQ, and dies so long after the last of them.
 */
const linesMost = 300;
/** One that is to die at a failpoint gets more time to come by it. */
const aimedLinesMost = 600;
const delayMsMost = 3;
/** Many die while they open it, within so long. */
const diesInStart = 0.15;
/** Share of the lives that tear a segment for the next one, where that is to die of its recovery. */
const tears = 0.15;
const startMsMost = 12;
/** A life that has nothing more to say is ended after this. */
const silenceMsMost = 2_000;
/** No start takes longer, however busy the machine is. */
const openMsMost = 5_000;

class Tally {
  kills = 0;
  killsInStarts = 0;
  killsUntilBroken = 0;
  readonly struck = new Map<string, number>();
  readonly oracles: LifeOracle[] = [];
  readonly broken: string[] = [];

  killed(oracle: LifeOracle, aim: string | undefined): void {
    this.kills++;
    if (!oracle.isOpen) this.killsInStarts++;
    if (oracle.hasStruck && aim !== undefined) this.struck.set(aim, (this.struck.get(aim) ?? 0) + 1);
  }

  over(seed: number, oracle: LifeOracle): void {
    this.oracles.push(oracle);
    if (oracle.broken.length > 0 && this.broken.length === 0) this.killsUntilBroken = this.kills;
    for (const what of oracle.broken) this.broken.push(`seed ${seed}: ${what}`);
  }

  report(): CampaignReport {
    const { kills, killsInStarts, killsUntilBroken, struck, broken } = this;
    const sum = (of: (oracle: LifeOracle) => number): number => this.oracles.reduce((all, one) => all + of(one), 0);
    const most = (of: (oracle: LifeOracle) => number): number => Math.max(0, ...this.oracles.map(of));
    return {
      kills,
      struck,
      killsInStarts,
      acknowledged: sum(({ acknowledged }) => acknowledged),
      delivered: sum(({ delivered }) => delivered),
      altered: sum(({ altered }) => altered),
      duplicates: sum(({ duplicates }) => duplicates),
      uncovered: sum(({ uncovered }) => uncovered),
      uncoveredMost: most(({ uncoveredMost }) => uncoveredMost),
      slowestOpenMs: most(({ slowestOpenMs }) => slowestOpenMs),
      broken,
      killsUntilBroken,
    };
  }
}

/** Kills until there were enough, or until something is broken. */
export async function campaign(plan: Campaign): Promise<CampaignReport> {
  const { kills, killsPerGeneration = killsPerGenerationDefault } = plan;
  const tally = new Tally();
  let begun = 0;
  const run = async (place: Place): Promise<void> => {
    while (begun * killsPerGeneration < kills && tally.broken.length === 0) {
      const generation = begun++;
      await live(plan, place, generation, Math.min(killsPerGeneration, kills - generation * killsPerGeneration), tally);
    }
  };
  await Promise.all(plan.places.map(run));
  return tally.report();
}

async function live(plan: Campaign, place: Place, generation: number, kills: number, tally: Tally): Promise<void> {
  const seed = (plan.seed + generation * 7_919) % 2 ** 31;
  const dice = new RandomSequence(seed);
  const { cut, directory: parent } = place;
  const fsync = plan.fsyncs[generation % plan.fsyncs.length] as FsyncPolicy;
  const isKillOnly = cut === undefined;
  const oracle = new LifeOracle({ marks: isKillOnly, checkpoints: isKillOnly || fsync.kind !== 'none' });
  const directory = join(mkdtempSync(join(parent, 'lives-')), 'dlq');
  const common = {
    directory,
    fsync,
    ...(plan.lie === undefined ? {} : { lie: plan.lie }),
    ...(plan.promisesEarly === true ? { promisesEarly: true } : {}),
  };
  const isRecovered = inRecovery.every((step) => plan.failpoints.includes(step));
  let hasTorn = false;
  for (let kill = 0; kill < kills; kill++) {
    // Damage is recovered from by the next life alone, and there must be some for it to die of.
    let points = plan.failpoints;
    if (isRecovered && hasTorn) points = inRecovery;
    else if (isRecovered && dice.next() < tears) points = [tornSpill];
    const aim = dice.next() < plan.aimed ? points[dice.below(points.length)] : undefined;
    const failpoint = aim && { call: aim[0], at: aim[1], nth: points === inRecovery ? 1 : 1 + dice.below(3) };
    const isInStart = aim === undefined && dice.next() < diesInStart;
    const death: Death = {
      ...(isInStart ? { startMs: dice.next() * startMsMost } : {}),
      lines: aim === undefined ? dice.below(linesMost) : aimedLinesMost,
      delayMs: dice.next() * delayMsMost,
    };
    const own = {
      seed: dice.below(2 ** 31),
      first: oracle.next,
      work: plan.works[generation % plan.works.length] as 'all' | 'replay',
    };
    await oneLife({ ...common, ...own, ...(failpoint === undefined ? {} : { failpoint }) }, oracle, death);
    tally.killed(oracle, aim?.join(' '));
    hasTorn = oracle.hasStruck && aim !== undefined && aim.join(' ') === tornSpill.join(' ');
    await cut?.();
  }
  const last: LifePlan = { ...common, seed, first: oracle.next, work: 'drain' };
  await oneLife(last, oracle, undefined);
  if (oracle.hasEnded) oracle.audit(directory, readdirSync(directory));
  tally.over(seed, oracle);
  rmSync(join(directory, '..'), { recursive: true });
}

/** When a life dies, if it does not come by its failpoint before. */
interface Death {
  /** From the moment at which it begins to open the DLQ; absent: it may open it. */
  readonly startMs?: number;
  /** Lines that it says once the DLQ is open, and how long it lives after that. */
  readonly lines: number;
  readonly delayMs: number;
}

/** Runs one life to its end; without a death it must end in order, by itself. */
async function oneLife(plan: LifePlan, oracle: LifeOracle, death: Death | undefined): Promise<void> {
  oracle.begin();
  const process_ = spawn(process.execPath, [child, JSON.stringify(plan)], { stdio: ['ignore', 'pipe', 'pipe'] });
  const kill = (): void => void process_.kill('SIGKILL');
  let timer: NodeJS.Timeout | undefined;
  const within = (ms: number, then: () => void): void => {
    clearTimeout(timer);
    timer = setTimeout(then, ms);
  };
  const hangs = (): void => {
    oracle.endedBy(`it was not open after ${openMsMost} ms`);
    kill();
  };
  let lines = 0;
  createInterface({ input: process_.stdout }).on('line', (line) => {
    oracle.take(line);
    if (line === 'b') {
      if (death?.startMs === undefined) within(openMsMost, hangs);
      else within(death.startMs, kill);
    } else if (oracle.isOpen && death?.startMs === undefined) {
      if (lines === 0) clearTimeout(timer);
      if (death !== undefined && lines === 0) within(silenceMsMost, kill);
      if (lines++ === death?.lines) within(death.delayMs, kill);
    }
  });
  let stderr = '';
  process_.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve) => {
    process_.once('close', (...how) => resolve(how));
  });
  clearTimeout(timer);
  if (signal === 'SIGKILL') oracle.killed();
  else if (code !== 0 || !oracle.hasEnded) oracle.endedBy(`${code ?? signal}: ${stderr.slice(0, 500)}`);
}
