/**
 * Runs spin/ring.pml through Spin: makes the checker's C source, compiles it, lets it search every state, reads what it prints.
 * Test code only; needs the commands `spin` and a C compiler, and everything that it writes is in a temporary directory.
 */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const model = fileURLToPath(new URL('../../../test/model/spin/ring.pml', import.meta.url));
const run = promisify(execFile);

/** Longer than any path of the model; a search that reaches it was not exhaustive. */
const depthMax = 1_000_000;

/** How large the modelled world is; the names are explained at the head of the model. */
export interface ModelSize {
  readonly capacity: number;
  readonly longest: number;
  readonly messages: number;
  readonly workerDeaths: number;
  readonly producerDeaths: number;
  readonly asides: number;
}

export interface ModelSearch {
  readonly states: number;
  readonly seconds: number;
  /** What Spin found wrong, in its own words; undefined when nothing is. */
  readonly violation: string | undefined;
}

/** Why the model cannot be run here; false when it can. */
export function cannotRunModel(): string | false {
  const missing = ['spin', 'gcc'].filter((command) => spawnSync(command, ['--version']).error !== undefined);
  return missing.length > 0 && `${missing.join(' and ')} is absent (Debian packages spin, gcc)`;
}

/** Searches all states, or up to the first violation. `mutant` seeds the mistake of that number. */
export async function searchModel(size: ModelSize, mutant?: number): Promise<ModelSearch> {
  const directory = mkdtempSync(join(tmpdir(), 'ring-model-'));
  const options = { cwd: directory, maxBuffer: 64 * 1024 ** 2 };
  const defines = [
    `-DCAPACITY=${size.capacity}`,
    `-DLONGEST=${size.longest}`,
    `-DMESSAGES=${size.messages}`,
    `-DDEATHS_W=${size.workerDeaths}`,
    `-DDEATHS_P=${size.producerDeaths}`,
    `-DASIDES=${size.asides}`,
    ...(mutant === undefined ? [] : [`-DMUTANT_${mutant}`]),
  ];
  try {
    await run('spin', ['-a', ...defines, model], options);
    // A mutant is found within a second: there compiling is what takes time.
    const effort = mutant === undefined ? '-O2' : '-O0';
    await run('gcc', [effort, '-w', '-DSAFETY', '-DCOLLAPSE', '-o', 'pan', 'pan.c'], options);
    const startMs = performance.now();
    const { stdout } = await run(join(directory, 'pan'), [`-m${depthMax}`], options);
    return { ...readSearch(stdout), seconds: (performance.now() - startMs) / 1000 };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function readSearch(printed: string): Pick<ModelSearch, 'states' | 'violation'> {
  const states = /^\s*(\S+) states, stored/m.exec(printed)?.[1];
  const errors = /errors: (\d+)/.exec(printed)?.[1];
  const incomplete = /search depth too small|out of memory|Search not completed|max\. depth/i.exec(printed)?.[0];
  const found = /^pan:1: (.*) \(at depth/m.exec(printed)?.[1];
  if (states === undefined || errors === undefined) throw new Error(`not what Spin prints: ${printed}`);
  if (incomplete !== undefined && found === undefined) throw new Error(`not exhaustive: ${incomplete}`);
  if (errors !== '0' && found === undefined) throw new Error(`an error without a name: ${printed}`);
  return { states: Number(states), violation: found };
}
