/**
 * The TypeScript files of this repository, parsed once, for the tests of this folder. Only tests import it; it reads the
 * sources themselves, not what was compiled from them, and runs nothing.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** The repository's root; this file runs as dist/test/tidy/sources.js. */
export const root = fileURLToPath(new URL('../../../', import.meta.url));

export interface Import {
  /** As written: `../base/assert.ts`, `node:fs`, `@aws-sdk/client-kinesis`. */
  readonly specifier: string;
  /** The file that is meant, from the root; undefined for packages and Node's own modules. */
  readonly file: string | undefined;
  /** Erased by the compiler: nothing is loaded because of it. */
  readonly typeOnly: boolean;
  /** `import()` or `new URL('./x.js', import.meta.url)`: loaded later, or on another thread. */
  readonly later: boolean;
  readonly line: number;
}

export interface Source {
  /** From the root, with slashes: `src/base/assert.ts`. */
  readonly path: string;
  /** `base` of `src/base/assert.ts`; `main.ts` of `src/main.ts`. */
  readonly folder: string;
  readonly text: string;
  readonly lines: readonly string[];
  readonly tree: ts.SourceFile;
  readonly imports: readonly Import[];
}

/** All files with one of `extensions` below `folder`, from the root, sorted. Folders that do not exist have none. */
export function filesBelow(folder: string, extensions: readonly string[]): string[] {
  try {
    return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && extensions.some((extension) => entry.name.endsWith(extension)))
      .map((entry) => relative(root, join(entry.parentPath, entry.name)))
      .sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Every source of src, test and bench. */
export const sources: readonly Source[] = ['src', 'test', 'bench'].flatMap((folder) =>
  filesBelow(folder, ['.ts']).map(parsed),
);

/** Those of src alone: what is shipped. */
export const shipped: readonly Source[] = sources.filter(({ path }) => path.startsWith('src/'));

export const byPath: ReadonlyMap<string, Source> = new Map(sources.map((source) => [source.path, source]));

/** `path:line` of a node, to click on. */
export function at(source: Source, node: ts.Node): string {
  return `${source.path}:${source.tree.getLineAndCharacterOfPosition(node.getStart(source.tree)).line + 1}`;
}

/** Calls `visit` for every node of a file, outside in. */
export function walk(source: Source, visit: (node: ts.Node) => void): void {
  const enter = (node: ts.Node): void => {
    visit(node);
    ts.forEachChild(node, enter);
  };
  enter(source.tree);
}

function parsed(path: string): Source {
  const text = readFileSync(join(root, path), 'utf8');
  return parsedText(path, text);
}

/** A source that is only a text, for tests of these tests. */
export function parsedText(path: string, text: string): Source {
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true);
  const source = { path, folder: path.split('/')[1] ?? '', text, lines: text.split('\n'), tree };
  return { ...source, imports: importsOf(path, tree) };
}

function importsOf(path: string, tree: ts.SourceFile): Import[] {
  const found: Import[] = [];
  const add = (node: ts.Node, literal: ts.Node | undefined, typeOnly: boolean, later: boolean): void => {
    if (literal === undefined || !ts.isStringLiteral(literal)) return;
    const line = tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1;
    const isPath = literal.text.startsWith('.');
    const file = isPath ? join(dirname(path), literal.text).replace(/\.js$/, '.ts') : undefined;
    found.push({ specifier: literal.text, file, typeOnly, later, line });
  };
  const enter = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node, node.moduleSpecifier, isTypeOnly(node.importClause), false);
    else if (ts.isExportDeclaration(node)) add(node, node.moduleSpecifier, node.isTypeOnly, false);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node, node.arguments[0], false, true);
    } else if (ts.isNewExpression(node) && node.getText(tree).endsWith('import.meta.url)')) {
      add(node, node.arguments?.[0], false, true);
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      add(node, node.argument.literal, true, false);
    }
    ts.forEachChild(node, enter);
  };
  enter(tree);
  return found;
}

/** `import type x` or `import { type x, type y }`. */
function isTypeOnly(clause: ts.ImportClause | undefined): boolean {
  if (clause === undefined) return false;
  if (clause.isTypeOnly) return true;
  const bindings = clause.namedBindings;
  const named = bindings !== undefined && ts.isNamedImports(bindings) && bindings.elements.length > 0;
  return clause.name === undefined && named && bindings.elements.every((element) => element.isTypeOnly);
}
