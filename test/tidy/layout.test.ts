import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { filesBelow, root } from './sources.ts';

/** Everything that may stand beside package.json. A new entry needs a reason to be there rather than in a folder. */
const entries: readonly string[] = [
  '.ci',
  '.editorconfig',
  '.git',
  '.gitignore',
  '.npmrc',
  'CHANGELOG.md',
  'LICENSE',
  'README.md',
  'bench',
  'biome.json',
  'package-lock.json',
  'package.json',
  'src',
  'systemd',
  'test',
  'tsconfig.json',
];

const read = (path: string): string => readFileSync(join(root, path), 'utf8');

t.test('beside package.json stands only what has to', async (t) => {
  const ignored = read('.gitignore').split('\n').filter(Boolean);
  const isIgnored = (name: string): boolean =>
    ignored.some(
      (pattern) => name === pattern.replace(/\/$/, '') || (pattern.startsWith('*') && name.endsWith(pattern.slice(1))),
    );
  for (const name of readdirSync(root)) {
    t.ok(
      entries.includes(name) || isIgnored(name),
      `${name}: move it into a folder, or list it in test/tidy/layout.test.ts`,
    );
  }
});

t.test('what runs in dist/ was compiled from a source that exists', async (t) => {
  const source = (path: string): string => path.replace(/^dist\//, '').replace(/\.js$/, '.ts');
  const stale = filesBelow('dist', ['.js']).filter((path) => !existsSync(join(root, source(path))));
  t.strictSame(stale, [], 'npm run build makes dist/ afresh');
});

t.test('every dependency is pinned to one version', async (t) => {
  const { dependencies, devDependencies, optionalDependencies } = JSON.parse(read('package.json')) as Record<
    'dependencies' | 'devDependencies' | 'optionalDependencies',
    Record<string, string>
  >;
  for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies })) {
    t.match(version, /^\d+\.\d+\.\d+$/, `${name}: pin it to one version`);
  }
});

t.test('the package says which licence, and the licence is there', async (t) => {
  t.equal((JSON.parse(read('package.json')) as { license: string }).license, 'MIT');
  t.match(read('LICENSE'), /^MIT License\n\nCopyright \(c\) 2026 the spillway authors\n/);
});

t.test('the changelog has the version of the package, and what is not released yet', async (t) => {
  const { version } = JSON.parse(read('package.json')) as { version: string };
  const headings = [...read('CHANGELOG.md').matchAll(/^## \[?([^\]\s]+)\]?/gm)].map((match) => match[1]);
  t.equal(headings[0], 'Unreleased', 'changes are written down as they are made');
  t.ok(headings.includes(version) || headings.length === 1, `${version} has its own heading once it is released`);
});
