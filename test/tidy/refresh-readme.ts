/**
 * Writes the current table of options into README.md, between its two markers. Run by `npm run readme`; test/tidy/options.test.ts
 * says when it is needed.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tableEnd, tableStart, withOptionTable } from '../../src/daemon/option-table.ts';
import { root } from './sources.ts';

const readme = join(root, 'README.md');
const text = withOptionTable(readFileSync(readme, 'utf8'));
if (text === undefined) {
  process.stderr.write(`README.md has no ${tableStart} and ${tableEnd}: put them where the table belongs\n`);
  process.exitCode = 1;
} else {
  writeFileSync(readme, text);
}
