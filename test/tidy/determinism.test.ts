import t from 'tap';
import ts from 'typescript';
import { at, parsedText, type Source, shipped, walk } from './sources.ts';

/** The folders that touch the world; everything else gets clock, random, files and environment passed in. */
const free = /^src\/(edges|cli|simulator)\/|^src\/main\.ts$/;

const properties: ReadonlyMap<string, string> = new Map([
  ['Date.now', 'take a clock from src/edges as an argument'],
  ['performance.now', 'take a clock from src/edges as an argument'],
  ['performance.timeOrigin', 'take a clock from src/edges as an argument'],
  ['process.hrtime', 'take a clock from src/edges as an argument'],
  ['Math.random', 'take a source of randomness from src/edges as an argument'],
  ['process.env', 'read it in src/edges or src/cli and pass on what it says'],
]);
const modules: ReadonlyMap<string, string> = new Map(
  ['node:fs', 'node:fs/promises', 'node:child_process', 'node:dgram', 'node:dns'].map((name) => [
    name,
    `use ${name} in src/edges only`,
  ]),
);
const randomOfCrypto = /^(random[A-Z]\w*|getRandomValues|webcrypto)$/;

/** Everything in a file by which two runs from the same seed could differ. */
function nondeterminism(source: Source): string[] {
  const found: string[] = [];
  const report = (node: ts.Node, what: string, cure: string): void => {
    found.push(`${at(source, node)}: ${what} outside src/edges: ${cure}`);
  };
  walk(source, (node) => {
    if (ts.isPropertyAccessExpression(node)) {
      const written = node.getText(source.tree).replace(/^globalThis\./, '');
      const cure = properties.get(written);
      if (cure !== undefined) report(node, written, cure);
      if (/^(crypto|webcrypto)$/.test(node.expression.getText(source.tree)) && randomOfCrypto.test(node.name.text)) {
        report(node, written, 'take a source of randomness from src/edges as an argument');
      }
    } else if (
      (ts.isNewExpression(node) || ts.isCallExpression(node)) &&
      node.expression.getText(source.tree) === 'Date'
    ) {
      if ((node.arguments?.length ?? 0) === 0)
        report(node, 'the current Date', 'take a clock from src/edges as an argument');
    } else if (
      ts.isImportSpecifier(node) &&
      node.parent.parent.parent.moduleSpecifier.getText(source.tree) === "'node:crypto'"
    ) {
      const name = (node.propertyName ?? node.name).text;
      if (randomOfCrypto.test(name)) report(node, name, 'take a source of randomness from src/edges as an argument');
    }
  });
  for (const { specifier, typeOnly, line } of source.imports) {
    const cure = typeOnly ? undefined : modules.get(specifier);
    if (cure !== undefined) found.push(`${source.path}:${line}: ${cure}`);
  }
  return found;
}

t.test('clock, randomness, files and environment enter through src/edges alone', async (t) => {
  t.strictSame(
    shipped.filter(({ path }) => !free.test(path)).flatMap((source) => nondeterminism(source)),
    [],
  );
});

t.test('every way around it is seen', async (t) => {
  for (const line of [
    'Date.now();',
    'const now = Date.now;',
    'new Date();',
    'new Date;',
    'Date();',
    'Math.random();',
    'performance.now();',
    'process.hrtime.bigint();',
    'globalThis.performance.now();',
    'process.env["X"];',
    "import { readFileSync } from 'node:fs';",
    "import { randomBytes } from 'node:crypto';",
    "import { randomUUID as id } from 'node:crypto';",
    'crypto.getRandomValues(bytes);',
    'crypto.randomUUID();',
  ]) {
    t.equal(nondeterminism(parsedText('src/ring/x.ts', line)).length, 1, line);
  }
  for (const line of [
    'new Date(timeMs);',
    'clock.now();',
    "import { createHash } from 'node:crypto';",
    "import type { Stats } from 'node:fs';",
    'crypto.hash("md5", bytes);',
    'setTimeout(f, 1);',
  ]) {
    t.strictSame(nondeterminism(parsedText('src/ring/x.ts', line)), [], line);
  }
});
