import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { StateLock } from '../../src/daemon/state-lock.ts';
import { realFiles } from '../../src/edges/files.ts';
import { spillway } from '../cli/spillway.ts';
import { drained, Rig, until } from './running.ts';

function temporaryDirectory(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'spillway-lock-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

t.test('a second daemon on a state directory ends with the process that has it named; the first goes on', async (t) => {
  const rig = await Rig.start(t);
  const first = await rig.daemon();
  await rig.send(first.socket, 0, 100);
  // The socket is refused as well, but only later: state comes first.
  const second = await spillway(['run', '--config', join(rig.directory, 'spillway.toml')]);
  t.equal(second.code, 1);
  t.match(second.stderr, new RegExp(`state_dir .* belongs to the running process ${first.process.pid}: stop that one`));
  await rig.send(first.socket, 100, 200);
  await until(() => first.ledger(), drained(200));
  t.equal(await first.stop(), 0);
  t.notOk(existsSync(join(rig.directory, 'state', 'lock')), 'a stop gives it back');
});

t.test('the lock of a daemon that was killed is taken over', async (t) => {
  const rig = await Rig.start(t);
  const first = await rig.daemon();
  first.process.kill('SIGKILL');
  await first.exited;
  t.ok(existsSync(join(rig.directory, 'state', 'lock')));
  const second = await rig.daemon();
  t.match(readFileSync(join(rig.directory, 'state', 'lock'), 'latin1'), new RegExp(`^${second.process.pid} \\d+\n$`));
  t.equal(await second.stop(), 0);
});

t.test('a lock whose process id was given to another process, or that says nothing, is taken over', async (t) => {
  const directory = temporaryDirectory(t);
  for (const text of [`${process.pid} 1\n`, '', 'noise', '99999999 5\n']) {
    writeFileSync(join(directory, 'lock'), text);
    const lock = await StateLock.take(realFiles, directory);
    await lock.confirm();
    await lock.giveBack();
    t.notOk(existsSync(join(directory, 'lock')), JSON.stringify(text));
  }
});

t.test('who lost a lock to another in the same moment is told before it goes on, and takes nothing away', async (t) => {
  const directory = temporaryDirectory(t);
  const lock = await StateLock.take(realFiles, directory);
  const other = '1 1\n';
  writeFileSync(join(directory, 'lock'), other);
  await t.rejects(lock.confirm(), { code: 'state_dir' });
  await lock.giveBack();
  t.equal(readFileSync(join(directory, 'lock'), 'latin1'), other);
});
