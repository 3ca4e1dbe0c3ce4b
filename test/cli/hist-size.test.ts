import t from 'tap';
import { runHist, wrongFigures } from './hist-run.ts';

const seed = 20;

t.test(
  '20 MB of a daemon with ten lanes are read within 256 MiB of memory, and the figures are those of the raw values',
  async (t) => {
    t.comment(`seed ${seed}`);
    const run = await runHist(seed, 20_000_000);
    t.equal(run.stderr, '');
    t.equal(run.code, 0);
    t.match(run.lines, {
      merged: run.log.latencyLines,
      other: run.log.otherLines,
      foreign: 0,
      damaged: 0,
      repeated: 0,
    });
    t.strictSame(wrongFigures(run), []);
    t.ok(run.peakMiB > 20 && run.peakMiB <= 256, `${run.peakMiB.toFixed(0)} MiB`);
    t.comment(`${run.seconds.toFixed(2)} s, ${run.peakMiB.toFixed(0)} MiB`);
  },
);
