/**
 * Builds copies of what is compiled, as it is or with a seeded mistake, in temporary folders. Test code only.
 *
 * The copy has the compiled source and tests and the packages of the original; of the source the one file that the mistake is
 * in is compiled anew, without its types. Whatever its tests leave in the temporary folder goes with it.
 */
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import type { DiskMutant } from './mutant.ts';

/** The repository's root, from dist/test/fault/mutants. */
const root = fileURLToPath(new URL('../../../../', import.meta.url));

export interface Build {
  readonly directory: string;
  /** Its own temporary folder. */
  readonly temporary: string;
  readonly remove: () => void;
}

/** Throws when an edit of the mutant does not find its text exactly once. */
export function build(mutant: DiskMutant | undefined): Build {
  const directory = mkdtempSync(join(tmpdir(), 'spillway-mutant-'));
  const temporary = join(directory, 'tmp');
  try {
    mkdirSync(temporary);
    cpSync(join(root, 'dist'), join(directory, 'dist'), { recursive: true });
    copyFileSync(join(root, 'package.json'), join(directory, 'package.json'));
    for (const name of ['node_modules', 'src', 'test']) symlinkSync(join(root, name), join(directory, name));
    if (mutant !== undefined) {
      const path = join(directory, 'dist/src', mutant.file.replace(/\.ts$/, '.js'));
      writeFileSync(path, compiled(mutated(mutant)));
    }
  } catch (error) {
    rmSync(directory, { recursive: true, force: true });
    throw error;
  }
  return { directory, temporary, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

/** The source with the mutant's edits. */
export function mutated({ name, file, edits }: DiskMutant): string {
  let text = readFileSync(join(root, 'src', file), 'utf8');
  for (const [find, replace] of edits) {
    const places = text.split(find).length - 1;
    if (places !== 1) throw new Error(`${name}: found ${places} times instead of once in src/${file}: ${find}`);
    text = text.replace(find, () => replace);
  }
  return text;
}

function compiled(text: string): string {
  const { outputText } = ts.transpileModule(text, {
    compilerOptions: {
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.ESNext,
      rewriteRelativeImportExtensions: true,
      verbatimModuleSyntax: true,
    },
  });
  return outputText;
}
