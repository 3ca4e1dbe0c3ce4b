/**
 * Small real disks for tests that want them full, failing or slow: a tmpfs of a stated size, and an ext4 on a block device whose
 * writes fail, or whose server stands still, when they are told to. They need root, and the second one nbdkit, nbdfuse and loop devices; who cannot have them is told
 * why. All of it is undone by the test's teardown, also when the test fails.
 *
 * ```
 *   ext4 ─ loop device ─ file by nbdfuse ─ nbdkit: error filter ─ memory       the filter fails writes while a certain file exists
 * ```
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Ending, until } from '../daemon/running.ts';

const mebibyte = 1024 ** 2;

/** Why no tmpfs can be mounted here; false: it can. */
export function withoutTmpfs(): string | false {
  if (process.getuid?.() !== 0) return 'mounting a tmpfs needs root';
  const directory = mkdtempSync(join(tmpdir(), 'spillway-mount-'));
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'spillway', directory]);
  if (status === 0) execFileSync('umount', [directory]);
  rmSync(directory, { recursive: true });
  return status === 0 ? false : `no tmpfs can be mounted: ${String(stderr).trim()}`;
}

/** Why there is no disk here that fails or stalls when it is told to, or another command that is needed; false: there is. */
export function withoutTroubledDisk(...needed: readonly string[]): string | false {
  if (process.getuid?.() !== 0) return 'mounting a disk needs root';
  for (const command of ['nbdkit', 'nbdfuse', 'losetup', 'mkfs.ext4', ...needed]) {
    if (spawnSync('which', [command]).status !== 0) return `${command} is not installed`;
  }
  const { status } = spawnSync('losetup', ['--find']);
  return status === 0 ? false : 'there are no loop devices';
}

/** Mounts a tmpfs of so many MiB at `path`. */
export function mountTmpfs(ending: Ending, path: string, mebibytes: number): void {
  mkdirSync(path, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m,mode=0700`, 'spillway', path]);
  // Lazily: whoever still has files open there is ended after this.
  ending.teardown(async () => void spawnSync('umount', ['--lazy', path]));
}

/** Takes all that is free on the file system of `path`, into that file. */
export function fillUp(path: string): void {
  const file = openSync(path, 'a');
  const piece = Buffer.alloc(64 * 1024, 0x66);
  try {
    for (let length = piece.length; length >= 512; ) {
      try {
        writeSync(file, piece, 0, length);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
        length /= 2;
      }
    }
  } finally {
    closeSync(file);
  }
}

export function freeBytes(path: string): number {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
}

export interface TroubledDisk {
  /** From now on every write to the device fails with EIO. */
  fail(): void;
  heal(): void;
  /** The device answers nothing for so long; whatever becomes of this process, it goes on then. */
  stall(ms: number): void;
  /** Forgets what the system holds in memory of the disk: what is read from now on was really written. Nobody may use it meanwhile. */
  remount(): void;
}

/** Mounts an ext4 of so many MiB at `path`. It has no journal: one that cannot be written would make the disk read-only. */
export async function mountTroubledDisk(ending: Ending, path: string, mebibytes: number): Promise<TroubledDisk> {
  const directory = mkdtempSync(join(tmpdir(), 'spillway-disk-'));
  ending.teardown(async () => rmSync(directory, { recursive: true, force: true }));
  const [device, switchFile] = [join(directory, 'device'), join(directory, 'fail')];
  writeFileSync(device, '');
  const filter = ['error-pwrite=EIO', 'error-pwrite-rate=100%', `error-file=${switchFile}`];
  const server = spawn(
    'nbdfuse',
    [device, '--command', 'nbdkit', '-s', '--filter=error', 'memory', `size=${mebibytes}M`, ...filter],
    { stdio: 'ignore' },
  );
  ending.teardown(() => unmounted(device, server));
  await until(
    async () => statSync(device).size,
    (size) => size === mebibytes * mebibyte,
    10_000,
  );
  const loop = execFileSync('losetup', ['--find', '--show', device], { encoding: 'utf8' }).trim();
  ending.teardown(async () => void spawnSync('losetup', ['--detach', loop]));
  execFileSync('mkfs.ext4', ['-q', '-O', '^has_journal', '-E', 'lazy_itable_init=0', '-m', '0', loop]);
  mkdirSync(path, { recursive: true });
  const mount = (): Buffer => execFileSync('mount', ['-o', 'errors=continue', loop, path]);
  mount();
  const heal = (): void => rmSync(switchFile, { force: true });
  ending.teardown(async () => {
    heal();
    spawnSync('umount', ['--lazy', path]);
  });
  return {
    fail: () => writeFileSync(switchFile, ''),
    heal,
    stall: (ms) => {
      const script = `kill -STOP ${server.pid}; sleep ${ms / 1000}; kill -CONT ${server.pid}`;
      spawn('sh', ['-c', script], { stdio: 'ignore', detached: true }).unref();
    },
    remount: () => {
      execFileSync('umount', [path]);
      mount();
    },
  };
}

/** The server ends when nobody uses its device; a test that has failed may leave a daemon that does. */
async function unmounted(device: string, server: ChildProcess): Promise<void> {
  spawnSync('umount', ['--lazy', device]);
  await until(
    async () => server.exitCode,
    (code) => code !== null,
    2_000,
  ).catch(() => server.kill('SIGKILL'));
}
