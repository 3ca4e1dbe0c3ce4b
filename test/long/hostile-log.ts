/**
 * Lane: a million strings that break lines, steer terminals and mislead parsers are logged, and each line is one line of plain text
 * that says what was logged.
 *
 *   node dist/test/long/hostile-log.js [--seed N] [--scale SHARE]        about half a minute of CPU at scale 1
 */
import { logHostile } from '../observe/hostile-lines.ts';
import { runLane } from './parts/lane.ts';

await runLane('hostile-log: strings from outside in the log', async (lane) => {
  const { strings, lines, wrong } = logHostile(lane.sized(1_000_000), lane.seed);
  lane.check('each event is one line of plain text, with what was logged', wrong.length === 0, wrong.join(''));
  lane.check('no more, no less', lines * 4 === strings, `${lines} lines`);
  lane.figure('strings', strings);
});
