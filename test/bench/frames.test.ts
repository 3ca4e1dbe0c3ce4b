import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';

t.test('the benchmark of the frame parser runs', async (t) => {
  const script = fileURLToPath(new URL('../../bench/frames.js', import.meta.url));
  const { status, stdout } = spawnSync(process.execPath, [script, '--smoke'], { encoding: 'utf8' });
  t.equal(status, 0);
  t.match(stdout, /frames of 200 B: [\d.]+ ns per event/);
});
