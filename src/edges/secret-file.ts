/**
 * Reads a small file that the configuration names by its path, or as a credential that systemd gives to the service. Main thread, at
 * the start, at a reload and for `check`. What a file holds goes into no message.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { toPlainError } from '../base/errors.ts';

const credentialPrefix = 'credential:';
/** Nobody but the owner; of a file of root's, as systemd's credentials are, also its group. */
const othersMode = 0o077;
const rootsOthersMode = 0o037;

/** The bytes, or what keeps them from being used, with the cure. */
export type FileReading = { readonly bytes: Buffer } | { readonly problem: string };

export interface ReadRules {
  /** Whether others than its owner may not have any right to it. */
  readonly isPrivate: boolean;
  /** Of a longer file so much and one byte more is read: what it means is for the caller. */
  readonly bytesMax: number;
  /** What is added where it cannot be read at all: how such a file is made. */
  readonly make?: string;
}

/** `named`: an absolute path, or "credential:NAME". */
export function readNamedFile(named: string, { isPrivate, bytesMax, make }: ReadRules): FileReading {
  const path = pathOf(named);
  if (path === undefined) {
    const problem =
      'there is no such credential: $CREDENTIALS_DIRECTORY is not set, as systemd sets it for a service with LoadCredential=; ' +
      'elsewhere name a file';
    return { problem };
  }
  let handle: number | undefined;
  try {
    // A pipe must not block the start.
    handle = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const { mode, uid, gid, size } = fstatSync(handle);
    if ((mode & constants.S_IFMT) !== constants.S_IFREG) return { problem: 'is not a regular file: name one' };
    if (isPrivate && (mode & (uid === 0 && gid === 0 ? rootsOthersMode : othersMode)) !== 0) {
      const now = (mode & 0o777).toString(8).padStart(4, '0');
      return { problem: `others than its owner may use it (mode ${now}): chmod 0400 ${path}` };
    }
    const bytes = Buffer.alloc(Math.min(size, bytesMax) + 1);
    return { bytes: bytes.subarray(0, readSync(handle, bytes, 0, bytes.length, 0)) };
  } catch (error) {
    const { code } = toPlainError(error);
    const how = make === undefined ? '' : `; ${make}`;
    return { problem: `cannot be read (${code}): correct the path or its permissions${how}` };
  } finally {
    if (handle !== undefined) closeSync(handle);
  }
}

function pathOf(named: string): string | undefined {
  if (!named.startsWith(credentialPrefix)) return isAbsolute(named) ? named : undefined;
  const directory = process.env['CREDENTIALS_DIRECTORY'];
  return directory === undefined ? undefined : join(directory, named.slice(credentialPrefix.length));
}
