import { readFileSync } from 'node:fs';
import t from 'tap';
import { command } from '../../src/cli/sim.ts';
import { operationShapes } from '../../src/simulator/shapes.ts';
import { withFaultTable } from './fault-table.ts';

const text = readFileSync(new URL('../../../src/simulator/README.md', import.meta.url), 'utf8');

t.test('the README of the simulator carries the current table of faults', async (t) => {
  t.equal(text, withFaultTable(text), 'src/simulator/README.md: run npm run readme');
});

t.test('it names every operation, and every flag with its default', async (t) => {
  const operations = text.slice(text.indexOf('## What it answers'), text.indexOf('It checks'));
  for (const operation of Object.keys(operationShapes)) t.match(operations, new RegExp(`\\b${operation}\\b`));
  for (const { flags, defaultValue, defaultValueDescription } of command().options) {
    const shown = defaultValueDescription ?? defaultValue;
    const row = text.split('\n').find((line) => line.startsWith(`| \`${flags}\` `)) ?? '';
    t.ok(row !== '', `${flags} has a row`);
    if (shown !== undefined) t.ok(row.includes(String(shown)), `${flags}: ${shown}`);
  }
});

t.test('it names every route that the admin API has', async (t) => {
  const source = readFileSync(new URL('../../../src/simulator/admin.ts', import.meta.url), 'utf8');
  const routes = new Set(source.match(/(GET|POST) \/_sim\/[a-z]+/g));
  t.equal(routes.size, 4);
  for (const route of routes) t.ok(text.includes(`| \`${route}`), route);
});
