/**
 * Ways in which a directory of the DLQ can be malformed, each as a change to a good one and what is expected of the next start.
 * Only directories.test.ts imports it.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { crc32 } from 'node:zlib';

/** Rewrites a segment's header field and its checksum. */
export function rewriteHeader(file: string, change: (bytes: Buffer) => void): void {
  const bytes = readFileSync(file);
  change(bytes);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 60)), 60);
  writeFileSync(file, bytes);
}

export interface Malformed {
  readonly name: string;
  readonly spoil: (path: (name: string) => string, names: readonly string[]) => void;
  /** Segments (by index, from the end where it is negative) whose events are not expected back. */
  readonly missing?: readonly number[];
  /** A report that there must be. */
  readonly told?: object;
}

export const malformedKinds: readonly Malformed[] = [
  { name: 'a segment is missing', spoil: (path, [, second]) => rmSync(path(second!)), missing: [1] },
  {
    name: 'a segment is empty',
    spoil: (path, [, second]) => truncateSync(path(second!), 0),
    missing: [1],
    told: { change: 'segment_removed' },
  },
  {
    name: 'an extra segment is empty',
    spoil: (path) => writeFileSync(path('spill-0000000999.seg'), ''),
    told: { change: 'segment_removed', segment: 'spill-0000000999.seg' },
  },
  {
    name: 'a segment is of another version',
    spoil: (path, [, second]) => rewriteHeader(path(second!), (bytes) => bytes.writeUInt32LE(3, 4)),
    missing: [1],
    told: { change: 'set_aside', why: /version is 3/ },
  },
  {
    name: 'a foreign file lies there',
    spoil: (path) => writeFileSync(path('notes.txt'), 'do not delete'),
    told: { change: 'skipped', name: 'notes.txt' },
  },
  {
    name: 'a foreign file has the name of a segment',
    spoil: (path) => writeFileSync(path('spill-0000000999.seg'), randomBytes(5_000)),
    told: { change: 'quarantined', segment: 'spill-0000000999.seg' },
  },
  {
    name: 'a segment is a symbolic link',
    spoil: (path, [first]) => symlinkSync(path(first!), path('spill-0000000999.seg')),
    told: { change: 'skipped', why: 'symlink' },
  },
  {
    name: 'a directory has the name of the next segment',
    spoil: (path, names) => mkdirSync(path(`spill-${String(names.length + 1).padStart(10, '0')}.seg`)),
    told: { change: 'skipped', why: 'directory' },
  },
  {
    name: 'the checkpoint is a directory',
    spoil: (path) => mkdirSync(path('checkpoint')),
    told: { change: 'checkpoint_damaged' },
  },
  {
    name: 'the checkpoint is a link that leads nowhere',
    spoil: (path) => symlinkSync('/nonexistent/checkpoint', path('checkpoint')),
    told: { change: 'checkpoint_damaged' },
  },
  {
    name: 'a checkpoint was being written',
    spoil: (path) => writeFileSync(path('checkpoint.tmp'), 'half'),
  },
  {
    name: 'two segments have swapped names',
    spoil: (path, [first, second]) => {
      renameSync(path(first!), path('other'));
      renameSync(path(second!), path(first!));
      renameSync(path('other'), path(second!));
    },
    told: { change: 'misnamed' },
  },
  {
    name: 'a segment is there twice',
    spoil: (path, [, second]) => copyFileSync(path(second!), path('spill-0000000999.seg')),
    told: { change: 'set_aside', why: /other segments/ },
  },
  {
    name: 'a segment calls itself a dead letter',
    spoil: (path, [, second]) => renameSync(path(second!), path('dead-0000000999.seg')),
    told: { change: 'misnamed' },
  },
  {
    name: 'the header of a segment is noise',
    spoil: (path, [, second]) => {
      const bytes = readFileSync(path(second!));
      randomBytes(64).copy(bytes);
      writeFileSync(path(second!), bytes);
    },
    told: { change: 'quarantined', from: 0, bytes: 64 },
  },
  {
    name: 'a number is the largest that a name can have',
    spoil: (path, [first]) => renameSync(path(first!), path('spill-999999999999999.seg')),
    told: { change: 'misnamed' },
  },
  {
    name: 'a segment is a pipe',
    spoil: (path) => execFileSync('mkfifo', [path('spill-0000000999.seg')]),
    told: { change: 'skipped', why: 'other' },
  },
  {
    name: 'the checkpoint is a pipe',
    spoil: (path) => execFileSync('mkfifo', [path('checkpoint')]),
    told: { change: 'checkpoint_damaged' },
  },
  {
    name: 'the checkpoint is empty',
    spoil: (path) => writeFileSync(path('checkpoint'), ''),
    told: { change: 'checkpoint_damaged', message: /0 bytes/ },
  },
  {
    name: 'the checkpoint is of a later version',
    spoil: (path) => writeFileSync(path('checkpoint'), withChecksum(9)),
    told: { change: 'checkpoint_damaged', message: /version 9/ },
  },
  {
    name: 'a segment was made and never written, all zeros',
    spoil: (path) => writeFileSync(path('spill-0000000999.seg'), Buffer.alloc(8_192)),
    told: { change: 'quarantined', segment: 'spill-0000000999.seg' },
  },
  {
    name: 'a segment has no more than half of its header',
    spoil: (path) => writeFileSync(path('spill-0000000999.seg'), 'SPLS'.padEnd(30, '\0')),
    told: { change: 'quarantined', segment: 'spill-0000000999.seg' },
  },
  {
    name: 'a segment has zeros at its end',
    spoil: (path, [first]) => appendFileSync(path(first!), Buffer.alloc(4_096)),
  },
  {
    name: 'a segment has something else at its end',
    spoil: (path, [first]) => appendFileSync(path(first!), randomBytes(4_096)),
    told: { change: 'torn', bytes: 4_096 },
  },
  {
    name: 'a segment has another one at its end',
    spoil: (path, [first, second]) => appendFileSync(path(first!), readFileSync(path(second!))),
    told: { change: 'set_aside', why: /other segments/ },
  },
  {
    name: 'the last segment stands at the end of the first',
    spoil: (path, names) => {
      appendFileSync(path(names[0]!), readFileSync(path(names.at(-1)!)));
      rmSync(path(names.at(-1)!));
    },
    missing: [0, -1],
    told: { change: 'set_aside', why: /beyond that of all others/ },
  },
  {
    name: 'the header of the last segment names a sequence that is not its first',
    spoil: (path, names) => rewriteHeader(path(names.at(-1)!), (bytes) => bytes.writeDoubleLE(1, 24)),
  },
  {
    name: 'a segment has a second name',
    spoil: (path, [, second]) => linkSync(path(second!), path('spill-0000000999.seg')),
    told: { change: 'set_aside', why: /other segments/ },
  },
  {
    name: 'beginnings of copies of the last segment lie beside it',
    spoil: (path, names) => {
      for (let number = 901; number < 909; number++) {
        const copy = path(`spill-0000000${number}.seg`);
        copyFileSync(path(names.at(-1)!), copy);
        truncateSync(copy, 300);
      }
      // So that it is met behind its copies.
      renameSync(path(names.at(-1)!), path('spill-0000000999.seg'));
    },
    told: { change: 'set_aside', segment: 'spill-0000000902.seg', why: /other segments/ },
  },
  {
    name: 'names have too few digits, or none',
    spoil: (path) => {
      writeFileSync(path('spill-1.seg'), 'one');
      writeFileSync(path('dead-.seg'), 'none');
    },
    told: { change: 'skipped', name: 'spill-1.seg' },
  },
  {
    name: 'a copy into quarantine was not finished',
    spoil: (path, [first]) => writeFileSync(path(`${first}.64.quarantine.tmp`), ''),
  },
  {
    name: 'what is in quarantine is a directory and a link',
    spoil: (path, [first, second]) => {
      mkdirSync(path(`${first}.quarantine`));
      symlinkSync('/etc/passwd', path(`${second}.64.quarantine`));
    },
    told: { change: 'skipped', why: 'symlink' },
  },
  {
    name: 'anybody may write to all files',
    spoil: (path, names) => {
      for (const name of names) chmodSync(path(name), 0o777);
    },
  },
];

/** A checkpoint without records whose checksum is right. */
function withChecksum(version: number): Buffer {
  const bytes = Buffer.alloc(40);
  bytes.write('SPLC');
  bytes.writeUInt32LE(version, 4);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 32)), 32);
  return bytes;
}
