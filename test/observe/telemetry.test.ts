import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import ts from 'typescript';
import { logKindTable } from '../../src/observe/log-schema.ts';
import { root, shipped, walk } from '../tidy/sources.ts';
import { withTelemetryTables } from './telemetry-tables.ts';

t.test('TELEMETRY.md carries the current tables of log lines and metrics', async (t) => {
  const text = readFileSync(join(root, 'src/observe/TELEMETRY.md'), 'utf8');
  t.equal(text, withTelemetryTables(text), 'src/observe/TELEMETRY.md: run npm run readme');
});

// The compiler sees to it that nothing else is logged; this is the other way round.
t.test('every kind and every field of the log is written by something', async (t) => {
  const kinds = new Set<string>();
  const fields = new Set<string>();
  for (const source of shipped) {
    if (source.path === 'src/observe/log-schema.ts' || source.path.startsWith('src/simulator/')) continue;
    walk(source, (node) => {
      if (ts.isCallExpression(node)) {
        for (const argument of node.arguments.slice(0, 2)) if (ts.isStringLiteral(argument)) kinds.add(argument.text);
      } else if (ts.isPropertyAssignment(node) || ts.isShorthandPropertyAssignment(node)) {
        fields.add(node.name.getText(source.tree));
      }
    });
  }
  // Alerts and outlooks have their place in the schema before anything tells them.
  const early = new Set(['alert', 'alert.alert', 'backlog.toFullMs', 'backlog.toDrainMs']);
  const dead = Object.entries(logKindTable).flatMap(([kind, row]) => [
    ...(kinds.has(kind) ? [] : [kind]),
    ...Object.keys(row.fields).flatMap((name) => (fields.has(name) ? [] : [`${kind}.${name}`])),
  ]);
  t.strictSame(
    dead.filter((name) => !early.has(name)),
    [],
    'src/observe/log-schema.ts: nothing writes them: take them out',
  );
});
