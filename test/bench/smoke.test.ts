import { execFile, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';

const sourceFolder = fileURLToPath(new URL('../../../bench/', import.meta.url));
const builtFolder = fileURLToPath(new URL('../../bench/', import.meta.url));

interface Source {
  /** File name without its extension. */
  readonly name: string;
  readonly text: string;
  /** Its opening comment. */
  readonly opening: string;
}

const sources: readonly Source[] = readdirSync(sourceFolder)
  .filter((file) => file.endsWith('.ts'))
  .map((file) => {
    const text = readFileSync(join(sourceFolder, file), 'utf8');
    return { name: file.slice(0, -'.ts'.length), text, opening: /^\/\*\*([^]*?)\*\//.exec(text)?.[1] ?? '' };
  });

/** A benchmark answers a question, which its opening asks before its first drawing or list. */
const isBenchmark = ({ opening }: Source): boolean => /\?/.test(opening.split(/\n \*\n/)[0] ?? '');

const benchmarks = sources.filter(isBenchmark);

/** Runs a smoke size; resolves with its exit code and what it printed. */
function smoke(name: string): Promise<{ code: number | null; printed: string }> {
  const child = spawn(process.execPath, [join(builtFolder, `${name}.js`), '--smoke'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, printed })));
}

t.jobs = 2;
for (const { name } of benchmarks) {
  t.test(`the benchmark ${name} runs in its smoke size and prints figures`, async (t) => {
    const { code, printed } = await smoke(name);
    t.equal(code, 0);
    t.match(printed, /\d/);
  });
}

/** What `npm run bench` runs: the list of them all. */
const list = 'run';

t.test('npm run bench lists every benchmark with its question', async (t) => {
  const { stdout } = await promisify(execFile)(process.execPath, [join(builtFolder, `${list}.js`), '--help']);
  const listed = new Set(stdout.trim().split('\n').map((line) => line.split(' ')[0])); // biome-ignore format: short
  t.strictSame(listed, new Set(benchmarks.map(({ name }) => name)));
});

t.test('every other file of the folder is a part of a benchmark', async (t) => {
  for (const part of sources.filter((source) => !isBenchmark(source) && source.name !== list)) {
    const users = sources.filter(({ name, text }) => name !== part.name && text.includes(`${part.name}.`));
    t.not(users.length, 0, `${part.name}: nobody uses it; a benchmark's opening begins with its question`);
  }
  t.ok(benchmarks.length >= 9, `${benchmarks.length} benchmarks`);
});
