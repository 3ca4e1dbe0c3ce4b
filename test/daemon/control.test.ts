import { statSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { fill } from '../cli/dlq-directory.ts';
import { spillway } from '../cli/spillway.ts';
import { Rig, until } from './running.ts';

t.test('the control socket is private, takes one work at a time, and refuses what it does not know', async (t) => {
  const rig = await Rig.start(t);
  const stateDir = join(rig.directory, 'state');
  await fill(stateDir, { letters: 400 });
  const daemon = await rig.daemon();
  const path = join(stateDir, 'control');
  t.equal(statSync(path).mode & 0o777, 0o600);
  for (const [line, message] of [
    ['no json', /a question is a JSON object/],
    ['null', /ask is one of/],
    ['{"ask":"purge"}', /a filter is an object/],
    ['{"ask":"purge","filter":{"stream":"x"}}', /a filter has no/],
    ['{"ask":"purge","filter":{"reasons":["x"]}}', /reasons are codes/],
    ['{"ask":"replay","filter":{},"perSecond":-1}', /a number above 0/],
  ] as const) {
    t.match(await asked(path, line), { reply: 'error', code: 'usage', message }, line);
  }
  t.equal((await daemon.ledger()).dlq, 200);
  const slow = spillway(['dlq', 'replay', '--rate', '50/s', '--state-dir', stateDir]);
  await until(
    () => daemon.ledger(),
    ({ delivered }) => delivered > 0,
  );
  t.match(await spillway(['dlq', 'purge', '--yes', '--state-dir', stateDir]), {
    code: 1,
    stderr: /another purge or replay is under way/,
  });
  t.equal(await daemon.stop(), 0, 'a stop ends the work');
  t.match(await slow, { stderr: /dead letters, .* were sent again/ });
});

/** The first line that comes back. */
async function asked(path: string, line: string): Promise<unknown> {
  const socket = createConnection({ path });
  socket.end(`${line}\n`);
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  return JSON.parse(text.split('\n')[0] as string);
}
