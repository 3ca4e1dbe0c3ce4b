/**
 * Reads a secret key from where the configuration says: a file, or a credential that systemd gives to the service. Main thread, at
 * the start and for `check`. The key goes into no message.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { toPlainError } from '../base/errors.ts';

const keyBytes = 32;
/** More than any way of writing a key takes. */
const fileBytesMax = 256;
const credentialPrefix = 'credential:';
/** Nobody but the owner; of a file of root's, as systemd's credentials are, also its group. */
const othersMode = 0o077;
const rootsOthersMode = 0o037;

const make = '(umask 077; head -c 32 /dev/urandom > FILE)';

/** The key, or what keeps it from being used, with the cure. */
export type KeyReading = { readonly key: Buffer } | { readonly problem: string };

/** `named`: an absolute path, or "credential:NAME". */
export function readKey(named: string): KeyReading {
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
    if ((mode & constants.S_IFMT) !== constants.S_IFREG)
      return { problem: 'is not a regular file: name one with the key' };
    if ((mode & (uid === 0 && gid === 0 ? rootsOthersMode : othersMode)) !== 0) {
      const now = (mode & 0o777).toString(8).padStart(4, '0');
      return { problem: `others than its owner may use it (mode ${now}): chmod 0400 ${path}` };
    }
    const bytes = Buffer.alloc(Math.min(size, fileBytesMax) + 1);
    return keyIn(bytes.subarray(0, readSync(handle, bytes, 0, bytes.length, 0)));
  } catch (error) {
    const { code } = toPlainError(error);
    return { problem: `cannot be read (${code}): correct the path or its permissions; make a key with ${make}` };
  } finally {
    if (handle !== undefined) closeSync(handle);
  }
}

function pathOf(named: string): string | undefined {
  if (!named.startsWith(credentialPrefix)) return isAbsolute(named) ? named : undefined;
  const directory = process.env['CREDENTIALS_DIRECTORY'];
  return directory === undefined ? undefined : join(directory, named.slice(credentialPrefix.length));
}

/** 32 bytes as they are, as 64 hex digits, or in base64; the last two may end with a newline. */
function keyIn(bytes: Buffer): KeyReading {
  const text = bytes.toString('latin1').replace(/\r?\n$/, '');
  let key = bytes;
  if (/^[0-9a-fA-F]{64}$/.test(text)) key = Buffer.from(text, 'hex');
  else if (/^[A-Za-z0-9+/]{43}=$/.test(text)) key = Buffer.from(text, 'base64');
  if (key.length !== keyBytes) {
    return { problem: `holds no key: 32 bytes, 64 hex digits or 44 characters of base64; make one with ${make}` };
  }
  if (key.every((byte) => byte === key[0]))
    return { problem: `is no secret, all bytes are the same: make one with ${make}` };
  return { key };
}
