/**
 * Writes the current tables of options, faults, log lines and metrics into the documents that carry them, between their markers. Run by
 * `npm run readme`; test/tidy/options.test.ts, test/simulator/readme.test.ts and test/observe/telemetry.test.ts say when it is needed.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withOptionTable } from '../../src/daemon/option-table.ts';
import { withTelemetryTables } from '../observe/telemetry-tables.ts';
import { withFaultTable } from '../simulator/fault-table.ts';
import { root } from './sources.ts';

for (const [path, withTable] of [
  ['README.md', withOptionTable],
  ['src/simulator/README.md', withFaultTable],
  ['src/observe/TELEMETRY.md', withTelemetryTables],
] as const) {
  const file = join(root, path);
  const text = withTable(readFileSync(file, 'utf8'));
  if (text === undefined) {
    process.stderr.write(`${path} has lost the markers of its table: put them back where the table belongs\n`);
    process.exitCode = 1;
  } else {
    writeFileSync(file, text);
  }
}
