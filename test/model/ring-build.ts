/**
 * Builds copies of src/ring for the model tests: as it is or with a mutation, at full speed or in steps. Test code only.
 *
 * In steps: every method becomes a generator that yields before each of its Atomics calls, by rewriting the source text, so
 * that a scheduler on one thread can play any interleaving of the real code at the granularity that the memory model asks for
 * (Atomics are totally ordered; plain accesses ride on them). `waitAsync` and `notify` go to the scheduler, and private fields
 * become readable, for it must recognise a state that it has seen. Constructors stay ordinary; no method of the ring calls
 * another one, which the rewriting relies on.
 */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import ts from 'typescript';
import type { Mutant } from './mutants/mutants.ts';

/** The repository's root, from dist/test/model. */
const root = fileURLToPath(new URL('../../../', import.meta.url));
const classFiles = ['consumer.ts', 'producer.ts', 'waiting.ts'];
const files = ['arena.ts', 'layout.ts', ...classFiles];

/** A built copy; `remove` deletes it. */
export interface RingBuild {
  readonly directory: string;
  /** URL of a module of the copy, by its file name without extension. */
  readonly url: (module: string) => string;
  readonly remove: () => void;
}

export function buildRing(options: { readonly mutant?: Mutant; readonly inSteps: boolean }): RingBuild {
  const directory = mkdtempSync(join(tmpdir(), 'ring-build-'));
  mkdirSync(join(directory, 'ring'));
  cpSync(join(root, 'dist/src/base'), join(directory, 'base'), { recursive: true });
  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }');
  for (const file of files) {
    let text = readFileSync(join(root, 'src/ring', file), 'utf8');
    if (options.mutant?.file === file) text = mutate(text, options.mutant);
    if (options.inSteps && classFiles.includes(file)) text = intoSteps(text);
    const { outputText } = ts.transpileModule(text, {
      compilerOptions: {
        target: ts.ScriptTarget.ES2023,
        module: ts.ModuleKind.ESNext,
        rewriteRelativeImportExtensions: true,
        verbatimModuleSyntax: true,
      },
    });
    writeFileSync(join(directory, 'ring', file.replace('.ts', '.js')), outputText);
  }
  return {
    directory,
    url: (module) => pathToFileURL(join(directory, 'ring', `${module}.js`)).href,
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** The source with the mutation's edits, each of which must find its text exactly once: a stale patch is a mistake. */
function mutate(text: string, mutant: Mutant): string {
  let mutated = text;
  for (const [find, replace] of mutant.edits) {
    if (mutated.split(find).length !== 2)
      throw new Error(`${mutant.name}: not found exactly once in ${mutant.file}: ${find}`);
    mutated = mutated.replace(find, () => replace);
  }
  return mutated;
}

function intoSteps(text: string): string {
  let inConstructor = false;
  const lines = text.split('\n').map((line) => {
    if (/^ {2}constructor\(/.test(line)) inConstructor = true;
    else if (/^ {2}\}$/.test(line)) inConstructor = false;
    if (inConstructor || /^\s*(\/\/|\*|\/\*)/.test(line)) return line;
    return line
      .replace(/^ {2}([a-z]\w*\(.*\{)$/, '  *$1')
      .replace(/Atomics\.(waitAsync|notify)\(/g, '(yield, globalThis.ringHost.$1)(')
      .replace(/Atomics\.(load|store|compareExchange)\(/g, '(yield, Atomics.$1)(');
  });
  return lines
    .join('\n')
    .replaceAll('this.#', 'this._')
    .replaceAll('readonly #', 'readonly _')
    .replace(/^ {2}#/gm, '  _');
}
