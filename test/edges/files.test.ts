import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { realFiles } from '../../src/edges/files.ts';

const bytes = 4 * 1024 ** 2;

/** More than the system works on at one time. */
const calls = 64;

function temporaryFile(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'spillway-files-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, 'file');
  writeFileSync(path, Buffer.alloc(bytes, 0x78));
  return path;
}

/** Whether this process has the file open, removed or not. */
function isOpen(path: string): boolean {
  return readdirSync('/proc/self/fd').some((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`).replace(/ \(deleted\)$/, '') === path;
    } catch {
      // That of the directory itself.
      return false;
    }
  });
}

t.test('a file is closed when the system has answered all that was asked of it before', async (t) => {
  const file = await realFiles.open(temporaryFile(t), 'read');
  const buffer = Buffer.alloc(bytes);
  const reads = Array.from({ length: calls }, () => file.read(buffer, 0, bytes, 0));
  await Promise.all([file.close(), ...reads]);
  for (const read of reads) t.equal(await read, bytes);
});

t.test('a file that was removed while it was read is closed as well', async (t) => {
  const path = temporaryFile(t);
  const file = await realFiles.open(path, 'read');
  await realFiles.unlink(path);
  t.equal(isOpen(path), true);
  await file.close();
  t.equal(isOpen(path), false);
});

t.test('a closed file takes no calls, and may be closed again', async (t) => {
  const file = await realFiles.open(temporaryFile(t), 'edit');
  await file.close();
  await file.close();
  const buffer = Buffer.alloc(8);
  await t.rejects(file.read(buffer, 0, 8, 0), { code: 'EBADF' });
  await t.rejects(file.write(buffer, 0, 8, 0), { code: 'EBADF' });
  await t.rejects(file.truncate(0), { code: 'EBADF' });
  await t.rejects(file.sync(), { code: 'EBADF' });
});

t.test('what is no regular file is not opened, and leaves nothing open', async (t) => {
  const path = temporaryFile(t);
  const directory = dirname(path);
  await t.rejects(realFiles.open(directory, 'read'), { code: 'EINVAL', message: `${directory} is not a regular file` });
  t.equal(isOpen(directory), false);
  await t.rejects(realFiles.open(path, 'create'), { code: 'EEXIST' });
  await t.rejects(realFiles.open(`${path}s`, 'read'), { code: 'ENOENT' });
});
