/**
 * Runs the long lanes in turn, or the one that is named: `npm run test:long -- outage`. Every file directly in dist/test/long is
 * a lane; further words go to the lane. Exits with 1 when one of them has failed.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = new URL('../', import.meta.url);
const lanes = readdirSync(folder)
  .filter((name) => name.endsWith('.js'))
  .map((name) => name.slice(0, -3));
const words = process.argv.slice(2);
const named = words.filter((word) => lanes.includes(word));
const rest = words.filter((word) => !lanes.includes(word));
if (rest[0] !== undefined && !rest[0].startsWith('-')) {
  throw new Error(`no lane named ${rest[0]}; there are ${lanes.join(', ')}`);
}

const failed: string[] = [];
for (const lane of named.length > 0 ? named : lanes) {
  const child = spawn(process.execPath, [fileURLToPath(new URL(`${lane}.js`, folder)), ...rest], { stdio: 'inherit' });
  const pass = (): void => void child.kill('SIGTERM');
  process.once('SIGTERM', pass);
  const [code] = await once(child, 'exit');
  process.off('SIGTERM', pass);
  if (code !== 0) failed.push(lane);
}
process.stdout.write(failed.length === 0 ? 'all lanes hold\n' : `failed: ${failed.join(', ')}\n`);
process.exitCode = failed.length === 0 ? 0 : 1;
