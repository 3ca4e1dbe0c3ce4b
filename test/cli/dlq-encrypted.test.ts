import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Keys } from '../../src/dlq/encryption.ts';
import { readSeries } from '../dlq/independent-reader.ts';
import { fill, snapshot, stateDirectory } from './dlq-directory.ts';
import { spillway } from './spillway.ts';

const key = Buffer.from('the key that these tests encrypt');
const old = Buffer.from('and the one that came before it.');

/** A state directory with encrypted spills and letters, its key, and a configuration that names both. */
async function encrypted(t: Test): Promise<{ stateDir: string; keyFile: string; config: string }> {
  const parent = stateDirectory(t);
  const [stateDir, keyFile, config] = [join(parent, 'state'), join(parent, 'key'), join(parent, 'spillway.toml')];
  await fill(stateDir, { spills: 50, letters: 200, keys: new Keys(key) });
  writeFileSync(keyFile, key, { mode: 0o400 });
  writeFileSync(config, configOf(stateDir, keyFile));
  return { stateDir, keyFile, config };
}

function configOf(stateDir: string, keyFile: string): string {
  return `
[daemon]
state_dir = ${JSON.stringify(stateDir)}
[[stream]]
name = "orders"
region = "eu-west-1"
[[listen]]
kind = "unix"
path = ${JSON.stringify(join(stateDir, 'socket'))}
[dlq]
encryption_key = ${JSON.stringify(keyFile)}
`;
}

t.test('every command opens encrypted segments with the key of the configuration, or one that is given', async (t) => {
  const { stateDir, keyFile, config } = await encrypted(t);
  const [named, given] = [
    ['--config', config],
    ['--state-dir', stateDir, '--key-file', keyFile],
  ];
  t.match(await spillway(['dlq', 'verify', ...given]), { code: 0, stderr: /250 events, .* all whole/ });
  t.match(await spillway(['dlq', 'stat', ...named]), { code: 0, stdout: /orders +spill +saturated +50/ });
  const { stdout } = await spillway(['dlq', 'show', '--limit', '1', ...given]);
  t.match(JSON.parse(stdout), { stream: 'orders', key: 'key0', data: 'event 0' });
  t.match(await spillway(['dlq', 'purge', '--yes', '--stream', 'clicks', '--config', config]), {
    code: 0,
    stderr: /100 dead letters/,
  });
  t.match(await spillway(['dlq', 'replay', '--state-dir', stateDir, '--key-file', keyFile]), {
    code: 0,
    stderr: /100 dead letters/,
  });
  t.equal(readSeries(join(stateDir, 'dlq'), 'spill', key).length, 150);
  t.match(await spillway(['dlq', 'verify', '--config', config]), { code: 0, stderr: /150 events/ });
});

t.test('without the key, or with another, each command says so and changes nothing', async (t) => {
  const { stateDir, keyFile } = await encrypted(t);
  writeFileSync(`${keyFile}.old`, old, { mode: 0o400 });
  const before = snapshot(stateDir);
  for (const [given, all] of [
    [[], [['ls'], ['show'], ['replay'], ['purge', '--yes']]],
    [
      ['--key-file', `${keyFile}.old`],
      [['verify'], ['purge', '--yes']],
    ],
  ] as const) {
    for (const what of all) {
      const ended = await spillway(['dlq', ...what, '--state-dir', stateDir, ...given]);
      t.match(
        ended,
        { code: 78, stdout: '', stderr: /encrypted with the key of id .*--key-file/ },
        [...what, ...given].join(' '),
      );
    }
  }
  t.strictSame(snapshot(stateDir), before);
  t.match(await spillway(['dlq', 'ls', '--state-dir', stateDir, '--key-file', `${keyFile}.none`]), {
    code: 78,
    stderr: /key.none cannot be used: cannot be read \(ENOENT\)/,
  });
  const both = ['--key-file', `${keyFile}.old`, '--key-file', keyFile];
  t.match(await spillway(['dlq', 'verify', '--state-dir', stateDir, ...both]), { code: 0 });
});

t.test('verify names a damaged frame', async (t) => {
  const { stateDir, keyFile } = await encrypted(t);
  const directory = join(stateDir, 'dlq');
  const name = readdirSync(directory).find((each) => each.startsWith('spill-')) as string;
  const bytes = readFileSync(join(directory, name));
  bytes[150]! ^= 1;
  writeFileSync(join(directory, name), bytes);
  const ended = await spillway(['dlq', 'verify', '--state-dir', stateDir, '--key-file', keyFile]);
  t.match(ended, { code: 1, stdout: new RegExp(`${name}: bytes 64 to ${bytes.length - 1}: damaged (frame|tail)`) });
});

t.test('check and run refuse a key that cannot be used, and run one that opens nothing', async (t) => {
  const { stateDir, keyFile, config } = await encrypted(t);
  t.match(await spillway(['check', '--config', config]), { code: 0, stdout: /encrypted/ });
  writeFileSync(`${keyFile}.open`, old, { mode: 0o644 });
  writeFileSync(config, configOf(stateDir, `${keyFile}.open`));
  for (const command of ['check', 'run']) {
    t.match(
      await spillway([command, '--config', config]),
      { code: 78, stderr: /dlq.encryption_key.*chmod 0400/s },
      command,
    );
  }
  writeFileSync(`${keyFile}.old`, old, { mode: 0o400 });
  writeFileSync(config, configOf(stateDir, `${keyFile}.old`));
  const before = snapshot(join(stateDir, 'dlq'));
  const ended = await spillway(['run', '--config', config]);
  t.equal(ended.code, 78);
  t.match(ended.stderr, /encrypted with the key of id .*nothing was changed/);
  t.strictSame(snapshot(join(stateDir, 'dlq')), before);
});
