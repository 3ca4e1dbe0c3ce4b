import { readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import t from 'tap';
import ts from 'typescript';
import { at, root, shipped, walk } from './sources.ts';

interface Locked {
  readonly version?: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly hasInstallScript?: boolean;
}

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

const read = (name: string): unknown => JSON.parse(readFileSync(join(root, name), 'utf8'));
const { dependencies, optionalDependencies, devDependencies } = read('package.json') as Manifest;
const packages = Object.entries((read('package-lock.json') as { packages: Record<string, Locked> }).packages).filter(
  ([path]) => path !== '',
);
const atRunTime = packages.filter(([, { dev, devOptional }]) => dev !== true && devOptional !== true);

/** Each is code that runs with the daemon's rights: a new one is a decision. */
const runTimePackagesMax = 120;

const packageOf = (specifier: string): string => specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');

t.test('every package of the lock file comes from the registry, with the hash of what it is', async (t) => {
  t.ok(packages.length > 100, `${packages.length} packages`);
  for (const [path, { version, integrity, resolved }] of packages) {
    const cure = 'take the entry out of the lock file and run npm install --package-lock-only';
    if (!/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity ?? '')) t.fail(`${path} ${version} has no integrity: ${cure}`);
    const isOfRegistry = resolved?.startsWith('https://registry.npmjs.org/') ?? true;
    if (!isOfRegistry) t.fail(`${path} comes from ${resolved}, which is not the registry`);
  }
});

/** Its script only builds what comes prebuilt: without, it works as well. */
const needlessScripts: readonly string[] = ['node_modules/koffi'];

t.test('what runs with the daemon is few packages, of which none needs a script when it is installed', async (t) => {
  t.ok(atRunTime.length <= runTimePackagesMax, `${atRunTime.length} packages, at most ${runTimePackagesMax}`);
  const scripts = atRunTime.filter(([, { hasInstallScript }]) => hasInstallScript === true).map(([path]) => path);
  t.strictSame(scripts, needlessScripts, 'npm ci --ignore-scripts must be enough');
});

t.test(
  'every package that src names is a dependency of its own, in an exact version that the lock file has',
  async (t) => {
    const locked = new Map(packages.map(([path, { version }]) => [path, version]));
    const own = { ...dependencies, ...optionalDependencies };
    const named = new Map<string, string>();
    for (const source of shipped) {
      for (const { specifier, file, line } of source.imports) {
        if (file === undefined && !isBuiltin(specifier)) named.set(packageOf(specifier), `${source.path}:${line}`);
      }
      walk(source, (node) => {
        if (!ts.isCallExpression(node) || node.expression.getText(source.tree) !== 'require') return;
        const [argument] = node.arguments;
        if (argument !== undefined && ts.isStringLiteral(argument))
          named.set(packageOf(argument.text), at(source, node));
      });
    }
    t.ok(named.has('@aws-sdk/credential-provider-ini'), 'what is required is seen, too');
    for (const [name, place] of named) {
      if (own[name] === undefined) t.fail(`${place}: ${name} is no dependency: add it to package.json`);
    }
    for (const [name, version] of Object.entries({ ...own, ...devDependencies })) {
      t.equal(locked.get(`node_modules/${name}`), version, name);
    }
    for (const name of Object.keys(own)) if (!named.has(name)) t.fail(`${name} is a dependency that src does not name`);
  },
);
