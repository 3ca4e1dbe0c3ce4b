/**
 * A small ext4 whose power can be cut: what was not synced is gone. For tests that start processes on it; they need root, loop devices
 * and gcc, and who cannot have them is told why. All of it is undone by the test's teardown, also when the test fails.
 *
 * ```
 *   cut    ioctl EXT4_IOC_SHUTDOWN without a flush of its journal ─▶ unmounted ─▶ mounted: ext4 recovers from its own journal
 * ```
 * The processes that write there must be dead before. A kill alone proves nothing about syncs: the kernel has what was written.
 */
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Ending } from '../daemon/running.ts';
import type { Place } from './disk-lives.ts';

const run = promisify(execFile);

/** Node has no ioctl. The number is _IOR('X', 125, u32), of Linux' fs/ext4/ext4.h; 2: EXT4_GOING_FLAGS_NOLOGFLUSH. */
const cutProgram = `
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
int main(int argc, char **argv) {
  uint32_t without_flush = 2;
  int directory = open(argv[argc - 1], O_RDONLY);
  if (directory >= 0 && ioctl(directory, _IOR('X', 125, uint32_t), &without_flush) == 0) return 0;
  perror(argv[argc - 1]);
  return 1;
}
`;

const diskMiB = 64;

/** Why there is no disk here whose power can be cut; false: there is. */
export function withoutPowerCuts(): string | false {
  if (process.getuid?.() !== 0) return 'mounting a disk needs root';
  for (const command of ['gcc', 'losetup', 'mkfs.ext4']) {
    if (spawnSync('which', [command]).status !== 0) return `${command} is not installed`;
  }
  const { status } = spawnSync('losetup', ['--find']);
  return status === 0 ? false : 'there are no loop devices';
}

/** Mounts so many disks, in the order of a campaign's places. */
export function cuttableDisks(ending: Ending, count: number): readonly Place[] {
  const directory = mkdtempSync(join(tmpdir(), 'spillway-power-'));
  ending.teardown(async () => rmSync(directory, { recursive: true, force: true }));
  const cut = join(directory, 'cut');
  execFileSync('gcc', ['-O1', '-x', 'c', '-o', cut, '-'], { input: cutProgram });
  return Array.from({ length: count }, (_, index) => cuttableDisk(ending, join(directory, `disk${index}`), cut));
}

function cuttableDisk(ending: Ending, path: string, cutCommand: string): Required<Place> {
  const image = `${path}.img`;
  execFileSync('truncate', ['-s', `${diskMiB}M`, image]);
  const loop = execFileSync('losetup', ['--find', '--show', image], { encoding: 'utf8' }).trim();
  ending.teardown(async () => void spawnSync('losetup', ['--detach', loop]));
  execFileSync('mkfs.ext4', ['-q', '-E', 'lazy_itable_init=0', loop]);
  mkdirSync(path);
  execFileSync('mount', [loop, path]);
  const script = '"$0" "$1" && umount "$1" && mount "$2" "$1"';
  let cutting: Promise<unknown> = Promise.resolve();
  let isOver = false;
  ending.teardown(async () => {
    // A test that was given up may be in the middle of a cut, and must not mount the disk again.
    isOver = true;
    await cutting.catch(() => undefined);
    // Lazily: whoever still has files open there is ended after this.
    spawnSync('umount', ['--lazy', path]);
  });
  const cut = async (): Promise<void> => {
    if (isOver) throw new Error('the disk is gone');
    cutting = run('sh', ['-c', script, cutCommand, path, loop]);
    await cutting;
  };
  return { directory: path, cut };
}
