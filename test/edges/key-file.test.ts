import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { readKey } from '../../src/edges/key-file.ts';

function folder(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'spillway-key-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

const key = Buffer.from(Array.from({ length: 32 }, (_, i) => (i * 37 + 10) & 255));

function keyFile(directory: string, bytes: Buffer | string, mode = 0o400): string {
  const path = join(directory, `key-${mode.toString(8)}-${bytes.length}`);
  writeFileSync(path, bytes, { mode });
  chmodSync(path, mode);
  return path;
}

t.test('a key is 32 bytes as they are, in hex or in base64, with or without a newline', async (t) => {
  const directory = folder(t);
  const hex = key.toString('hex');
  const base64 = key.toString('base64');
  for (const bytes of [key, hex, `${hex.toUpperCase()}\n`, base64, `${base64}\r\n`]) {
    t.same(readKey(keyFile(directory, bytes)), { key });
  }
});

t.test('what is no key is told with the cure, and without the bytes', async (t) => {
  const directory = folder(t);
  const short = key.subarray(0, 31).toString('hex');
  for (const bytes of ['', key.subarray(0, 31), Buffer.concat([key, Buffer.from('\n')]), short, 'x'.repeat(10_000)]) {
    const reading = readKey(keyFile(directory, bytes));
    t.match(reading, { problem: /^holds no key: 32 bytes, .*head -c 32/ }, `${bytes.length} bytes`);
    if (bytes.length > 0) t.notOk(JSON.stringify(reading).includes(bytes.toString('latin1').slice(0, 20)));
  }
  t.match(readKey(keyFile(directory, Buffer.alloc(32))), { problem: /no secret/ });
  t.match(readKey(join(directory, 'missing')), { problem: /cannot be read \(ENOENT\)/ });
  t.match(readKey(directory), { problem: /not a regular file/ });
});

t.test('a key that others may read or write is refused', async (t) => {
  const directory = folder(t);
  t.same(readKey(keyFile(directory, key, 0o600)), { key });
  for (const mode of [0o404, 0o644, 0o620, 0o666]) {
    t.match(readKey(keyFile(directory, key, mode)), {
      problem: new RegExp(`mode 0${mode.toString(8)}\\): chmod 0400 /`),
    });
  }
  const { uid, gid } = { uid: process.getuid?.(), gid: process.getgid?.() };
  const isRoots = uid === 0 && gid === 0;
  t.match(readKey(keyFile(directory, key, 0o440)), isRoots ? { key } : { problem: /mode 0440/ });
});

t.test('a credential is looked for where systemd says', async (t) => {
  const directory = folder(t);
  mkdirSync(join(directory, 'credentials'));
  const { CREDENTIALS_DIRECTORY: before } = process.env;
  t.teardown(() => {
    if (before === undefined) delete process.env['CREDENTIALS_DIRECTORY'];
    else process.env['CREDENTIALS_DIRECTORY'] = before;
  });
  delete process.env['CREDENTIALS_DIRECTORY'];
  t.match(readKey('credential:dlq'), { problem: /CREDENTIALS_DIRECTORY is not set/ });
  process.env['CREDENTIALS_DIRECTORY'] = join(directory, 'credentials');
  t.match(readKey('credential:dlq'), { problem: /ENOENT/ });
  writeFileSync(join(directory, 'credentials', 'dlq'), key, { mode: 0o400 });
  t.same(readKey('credential:dlq'), { key });
});
