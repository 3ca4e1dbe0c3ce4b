/**
 * Reads a secret key from where the configuration says: a file, or a credential that systemd gives to the service. Main thread, at
 * the start and for `check`. The key goes into no message.
 */
import { readNamedFile } from './secret-file.ts';

const keyBytes = 32;
/** More than any way of writing a key takes. */
const fileBytesMax = 256;

const make = '(umask 077; head -c 32 /dev/urandom > FILE)';

/** The key, or what keeps it from being used, with the cure. */
export type KeyReading = { readonly key: Buffer } | { readonly problem: string };

/** `named`: an absolute path, or "credential:NAME". */
export function readKey(named: string): KeyReading {
  const rules = { isPrivate: true, bytesMax: fileBytesMax, make: `make a key with ${make}` };
  const reading = readNamedFile(named, rules);
  return 'problem' in reading ? reading : keyIn(reading.bytes);
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
