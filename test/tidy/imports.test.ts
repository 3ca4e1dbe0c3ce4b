import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import ts from 'typescript';
import { type Border, borders, exceptions, laneWorker, mainThread, neverNode, type ThreadRule } from './borders.ts';
import { byPath, type Import, parsedText, root, type Source, shipped, sources } from './sources.ts';

/** `@aws-sdk/core` of `@aws-sdk/core/protocols`. */
const packageOf = (specifier: string): string => specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
const where = (source: Source, { line }: Import): string => `${source.path}:${line}`;
const loadedAtOnce = (source: Source): readonly Import[] =>
  source.imports.filter(({ typeOnly, later }) => !typeOnly && !later);

/** What is wrong with one import of a shipped file, or undefined. Types obey the folders too: they are what is depended on. */
function trespass(source: Source, imported: Import): string | undefined {
  const { specifier, file } = imported;
  if (exceptions.has(`${source.path} -> ${specifier}`)) return undefined;
  const border: Border | undefined = borders[source.folder];
  if (border === undefined)
    return `src/${source.folder} is not in test/tidy/borders.ts: add it, with what it may import`;
  if (file !== undefined) {
    const folder = file.split('/')[1] ?? '';
    if (!file.startsWith('src/')) return `${specifier} lies outside src: what is shipped imports only what is shipped`;
    if (folder === source.folder || border.folders.includes(folder) || imported.later) return undefined;
    if (imported.typeOnly && border.types.includes(folder)) return undefined;
    return `src/${source.folder} may import ${border.folders.join(', ') || 'nothing'}, not ${folder}: pass it in as an argument`;
  }
  if (specifier.startsWith('node:')) {
    if (neverNode[source.folder]?.test(specifier) !== true) return undefined;
    return `src/${source.folder} may not use ${specifier}: let src/edges do it and pass it in`;
  }
  if (border.packages.includes(packageOf(specifier))) return undefined;
  return `src/${source.folder} may not import ${specifier}: only ${border.packages.join(', ') || 'no package at all'}`;
}

/** Chains from files that match `roots` to something forbidden, following what is loaded at once. */
function chains(rule: ThreadRule, files: ReadonlyMap<string, Source>): string[] {
  const found: string[] = [];
  const seen = new Set<string>();
  const follow = (source: Source, path: readonly string[]): void => {
    if (seen.has(source.path)) return;
    seen.add(source.path);
    for (const { specifier, file } of loadedAtOnce(source)) {
      const chain = [...path, file ?? specifier];
      const bad = file === undefined ? rule.packages.test(specifier) : rule.folders.includes(file.split('/')[1] ?? '');
      const excepted = rule.except.test(`${source.path} -> ${specifier}`);
      if (bad && !excepted) found.push(chain.join(' -> '));
      const next = file === undefined ? undefined : files.get(file);
      if (next !== undefined && !bad) follow(next, chain);
    }
  };
  for (const source of files.values()) if (rule.roots.test(source.path)) follow(source, [source.path]);
  return found;
}

/** The cycles that a depth-first walk meets, each as a chain that ends where it began. Imports of types make none. */
function cycles(files: ReadonlyMap<string, Source>): string[] {
  const done = new Set<string>();
  const found: string[] = [];
  const enter = (source: Source, path: readonly string[]): void => {
    if (path.includes(source.path)) {
      found.push([...path.slice(path.indexOf(source.path)), source.path].join(' -> '));
      return;
    }
    if (done.has(source.path)) return;
    for (const { file } of loadedAtOnce(source)) {
      const next = file === undefined ? undefined : files.get(file);
      if (next !== undefined) enter(next, [...path, source.path]);
    }
    done.add(source.path);
  };
  for (const source of files.values()) enter(source, []);
  return found;
}

const mapOf = (...files: (readonly [path: string, text: string])[]): ReadonlyMap<string, Source> =>
  new Map(files.map(([path, text]) => [path, parsedText(path, text)]));

t.test('a folder imports only the folders, packages and Node modules that its border allows', async (t) => {
  for (const source of shipped) {
    for (const imported of source.imports) {
      const wrong = trespass(source, imported);
      if (wrong !== undefined) t.fail(`${where(source, imported)}: ${wrong}`);
    }
  }
  t.ok(shipped.length > 0, `${shipped.length} files`);
});

t.test('the borders of a folder are seen to be crossed', async (t) => {
  const crossed = (path: string, text: string): string | undefined => {
    const source = parsedText(path, text);
    const [first] = source.imports;
    return first && trespass(source, first);
  };
  t.match(crossed('src/base/x.ts', "import { y } from '../ring/y.ts';"), /^src\/base may import nothing, not ring/);
  t.match(crossed('src/ingress/x.ts', "import type { y } from '../deliver/y.ts';"), /not deliver/);
  t.match(crossed('src/deliver/x.ts', "export { y } from '../ingress/y.ts';"), /not ingress/);
  t.match(crossed('src/breaker/x.ts', "import fs from 'node:fs';"), /may not use node:fs/);
  t.match(crossed('src/daemon/x.ts', "import '@aws-sdk/client-kinesis';"), /may not import @aws-sdk/);
  t.match(crossed('src/ring/x.ts', "import { y } from '../../test/y.ts';"), /lies outside src/);
  t.match(crossed('src/utils/x.ts', "import { y } from '../base/y.ts';"), /not in test\/tidy\/borders.ts/);
  t.equal(crossed('src/ring/x.ts', "import { y } from '../base/y.ts';"), undefined);
});

t.test('the main thread loads neither the SDK nor the KPL codec', async (t) => {
  t.strictSame(chains(mainThread, byPath), [], 'import it later, in a worker, or pass in what it makes');
  const planted = mapOf(
    ['src/daemon/a.ts', "import { b } from '../edges/b.ts';"],
    ['src/edges/b.ts', "import '@aws-sdk/client-kinesis';"],
  );
  t.strictSame(chains(mainThread, planted), ['src/daemon/a.ts -> src/edges/b.ts -> @aws-sdk/client-kinesis']);
});

t.test('a lane worker loads neither sockets nor configuration nor the pool', async (t) => {
  t.strictSame(chains(laneWorker, byPath), [], 'send it what it needs in its start message');
  const planted = mapOf(['src/threads/lane-worker.ts', "import { Piscina } from 'piscina';"]);
  t.strictSame(chains(laneWorker, planted), ['src/threads/lane-worker.ts -> piscina']);
});

t.test('imports make no cycle', async (t) => {
  t.strictSame(cycles(byPath), [], 'move what both need into a third file');
  const planted = mapOf(['src/base/a.ts', "import './b.ts';"], ['src/base/b.ts', "import './a.ts';"]);
  t.strictSame(cycles(planted), ['src/base/a.ts -> src/base/b.ts -> src/base/a.ts']);
});

t.test('an import names the file that has the thing: there are no barrels', async (t) => {
  for (const { path, tree } of sources) {
    t.not(path.split('/').at(-1), 'index.ts', `${path}: name the file after what is in it`);
    const passesOn = (statement: ts.Statement): boolean =>
      ts.isImportDeclaration(statement) ||
      (ts.isExportDeclaration(statement) && statement.moduleSpecifier !== undefined);
    const onlyPassesOn = tree.statements.every(passesOn) && tree.statements.some(ts.isExportDeclaration);
    t.notOk(onlyPassesOn, `${path} only passes on what others have: import those`);
  }
});

const assembled = { skip: byPath.has('src/cli/run.ts') ? false : 'there is no daemon' };

t.test(
  'every file is reached from the binary, a worker, a public entry, a script, a test or a benchmark',
  assembled,
  async (t) => {
    const { exports, scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<
      string,
      unknown
    >;
    const named = JSON.stringify([exports, scripts]).matchAll(/\bdist\/([a-z0-9/-]+)\.js\b/g);
    const entries = [...named].map((match) => `${match[1]}.ts`);
    const reached = new Set<string>();
    const follow = (path: string): void => {
      const source = byPath.get(path);
      if (source === undefined || reached.has(path)) return;
      reached.add(path);
      for (const { file } of source.imports) if (file !== undefined) follow(file);
    };
    for (const { path } of sources) {
      // Commands are loaded by their names; a declaration file is read by the compiler alone.
      if (/^(src\/main\.ts|src\/cli\/|test\/|bench\/)|\.d\.ts$/.test(path)) follow(path);
    }
    for (const entry of entries) follow(entry);
    const dead = sources.filter(({ path }) => !reached.has(path)).map(({ path }) => path);
    t.strictSame(dead, [], 'reached by nothing: delete them, or use them');
  },
);

t.test('every exception from the borders is still needed', async (t) => {
  const written = new Set(
    shipped.flatMap((source) => source.imports.map(({ specifier }) => `${source.path} -> ${specifier}`)),
  );
  for (const [exception, reason] of exceptions) {
    t.ok(written.has(exception), `${exception} is written nowhere: remove it from test/tidy/borders.ts`);
    t.match(reason, /\w+ \w+ \w+/, `${exception} has a reason`);
  }
});
