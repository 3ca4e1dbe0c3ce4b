/**
 * Lane: `spillway hist` reads a log of 1 GB, which is a day and a half of ten busy lanes, within 30 seconds and 256 MiB, and what
 * it says is what the raw values say. The same with rows by time and charts.
 *
 *   node dist/test/long/hist-size.js [--seed N] [--scale SHARE]
 */

import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runHist, wrongFigures } from '../cli/hist-run.ts';
import { runLane } from './parts/lane.ts';

const bytes = 1_000_000_000;
const secondsMax = 30;
const peakMiBMax = 256;

await runLane('hist-size: latency percentiles of a gigabyte of log', async (lane) => {
  const svg = join(tmpdir(), `spillway-hist-size-${process.pid}.svg`);
  lane.teardown(async () => rmSync(svg, { force: true }));
  for (const args of [[], ['--by', 'window', '--window', '15m', '--svg', svg]]) {
    const run = await runHist(lane.seed, lane.sized(bytes), args);
    lane.line(`     spillway hist ${args.slice(0, 4).join(' ')}`);
    lane.check('ends with 0', run.code === 0, run.stderr.trim());
    lane.check(
      'every line is told',
      run.lines['merged'] === run.log.latencyLines && run.lines['other'] === run.log.otherLines,
    );
    if (args.length === 0) {
      const wrong = wrongFigures(run);
      lane.check('the figures are those of the raw values', wrong.length === 0, wrong.join('; '));
    }
    const most = lane.sized(secondsMax, 2);
    lane.check(`within ${most} s`, run.seconds <= most, `${run.seconds.toFixed(1)} s`);
    lane.check(`within ${peakMiBMax} MiB`, run.peakMiB <= peakMiBMax, `${run.peakMiB.toFixed(0)} MiB`);
    lane.figure('bytes', run.log.bytes);
    lane.figure('latency lines', run.log.latencyLines);
    lane.figure('bytes a second', run.log.bytes / run.seconds);
  }
});
