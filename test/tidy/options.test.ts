import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import ts from 'typescript';
import { tableEnd, tableStart, withOptionTable } from '../../src/daemon/option-table.ts';
import { optionsOf, type SectionName, sections } from '../../src/daemon/options.ts';
import { jsonSchema } from '../../src/daemon/schema.ts';
import { byPath, root, shipped, walk } from './sources.ts';

const readme = join(root, 'README.md');

t.test(
  'the README carries the current table of options',
  { skip: existsSync(readme) ? false : 'there is no README.md' },
  async (t) => {
    const text = readFileSync(readme, 'utf8');
    const current = withOptionTable(text);
    t.ok(current !== undefined, `README.md: put the table between ${tableStart} and ${tableEnd}`);
    t.equal(text, current, 'README.md: run npm run readme');
  },
);

const schemaFile = join(root, 'dist/spillway.schema.json');
const written = { skip: existsSync(schemaFile) ? false : 'npm run build writes it' };

t.test('the JSON Schema of the package is the current one', written, async (t) => {
  t.strictSame(JSON.parse(readFileSync(schemaFile, 'utf8')), JSON.parse(JSON.stringify(jsonSchema())), 'npm run build');
});

t.test(
  'every option is read by something',
  { skip: byPath.has('src/cli/run.ts') ? false : 'there is no daemon' },
  async (t) => {
    // A property that is taken out of an object, by a dot or by a pattern, anywhere but where the configuration is made.
    const read = new Set<string>();
    for (const source of shipped) {
      if (
        /^src\/daemon\/(options|kinds|config|cross-checks|schema|tables|written)\.ts$|^src\/cli\/check\.ts$/.test(
          source.path,
        )
      )
        continue;
      walk(source, (node) => {
        if (ts.isPropertyAccessExpression(node)) read.add(node.name.text);
        else if (ts.isBindingElement(node)) read.add((node.propertyName ?? node.name).getText(source.tree));
      });
    }
    // Read by the loader itself: they decide other values and are gone by then, or have one value only so far.
    const settledEarlier = new Set(['streamArn', 'ack']);
    for (const section of Object.keys(sections) as SectionName[]) {
      for (const [key, { name }] of Object.entries(optionsOf(section))) {
        t.ok(
          read.has(name) || settledEarlier.has(name),
          `${section}.${key}: nothing reads ${name}: use it or remove the option`,
        );
      }
    }
  },
);
