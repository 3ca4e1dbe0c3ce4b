import { chownSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { connect } from '../../src/client/client.ts';
import { Rig, type RunningDaemon, until } from './running.ts';

const nobody = 65_534;
const isRoot = process.getuid?.() === 0;

/** Modes of everything below `directory`, by path; files that went meanwhile are left out. */
function modesBelow(directory: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const name of readdirSync(directory, { recursive: true }) as string[]) {
    const stats = statSync(join(directory, name), { throwIfNoEntry: false });
    if (stats === undefined) continue;
    found.set(name, `${stats.isDirectory() ? 'directory' : 'file'} ${(stats.mode & 0o777).toString(8)}`);
  }
  return found;
}

/** The daemon's state after each step, and a start of the daemon as somebody who is not root, where this is root. */
async function kept(rig: Rig, umask: string, stream: string): Promise<RunningDaemon> {
  const as = isRoot ? `setpriv --reuid=${nobody} --regid=${nobody} --clear-groups` : '';
  // What the test runner has every Node process load can write its files as root alone.
  const under = ['sh', '-c', `unset NODE_OPTIONS; umask ${umask}; exec ${as} "$@"`, 'sh'];
  return rig.daemon(stream, '[breaker]\nfailures = 1\n', {
    under,
    environment: { SPILLWAY_DAEMON_DRAIN_TIMEOUT: '200ms' },
  });
}

for (const umask of ['0000', '0777']) {
  t.test(`under umask ${umask} all that the daemon keeps is its user's alone`, async (t) => {
    const rig = await Rig.start(t);
    if (isRoot) chownSync(rig.directory, nobody, nobody);
    const state = join(rig.directory, 'state');
    const seen = new Map<string, string>();
    const open: string[] = [];
    const look = (): void => {
      for (const [name, mode] of modesBelow(state)) {
        // A file that is just being made may have less than it will have, never more.
        if (!/(?: 0|00)$/.test(mode)) open.push(`${name}: ${mode}`);
        seen.set(name, mode);
      }
    };
    await rig.simulator.faults({ refuse: true });
    const first = await kept(rig, umask, '');
    const client = await connect({ path: first.socket });
    client.send('large', Buffer.alloc(4_000, 0x6c));
    await client.close();
    await rig.send(first.socket, 0, 500);
    await until(
      () => first.status(),
      ({ dlq }) => dlq.reserveBytes > 0,
    );
    look();
    t.equal(await first.stop(), 0);
    const spills = readdirSync(join(state, 'dlq')).filter((name) => name.startsWith('spill-'));
    const path = join(state, 'dlq', spills[0] as string);
    const bytes = readFileSync(path);
    bytes[bytes.indexOf('"id":"0000000250"') + 1]! ^= 1;
    writeFileSync(path, bytes);
    await rig.simulator.faults({});
    // The large event no longer fits: a dead letter.
    const second = await kept(rig, umask, 'record_bytes_max = "2KiB"\naggregate_bytes = "2KiB"');
    look();
    await until(
      () => second.ledger(),
      ({ delivered, dlq, inFlight }) => delivered > 0 && dlq === 1 && inFlight === 0,
    );
    await until(
      async () => {
        look();
        return [...seen.keys()];
      },
      (names) => names.some((name) => name.endsWith('checkpoint')),
    );
    t.equal(await second.stop(), 0);
    look();
    for (const part of [/^lock$/, /spill-.*seg$/, /dead-.*seg$/, /quarantine$/, /checkpoint$/, /reserve$/]) {
      t.ok(
        [...seen.keys()].some((name) => part.test(name)),
        `${part} was there`,
      );
    }
    t.equal((statSync(state).mode & 0o777).toString(8), '700');
    t.strictSame(open, []);
    const left = new Set(modesBelow(state).values());
    t.strictSame(left, new Set(['directory 700', 'file 600']), 'when it has stopped');
  });
}
