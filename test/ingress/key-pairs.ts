/**
 * Certificates and tokens for the tests of guarded listeners, in files as an operator has them. Only tests import it; all of it goes
 * with the test's directory.
 */
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createKeyPair } from '../../src/simulator/certificate.ts';

export interface PairFiles {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly certFile: string;
  readonly keyFile: string;
}

/** Tokens of the shape that an operator makes. */
export const tokens = ['fIrst-t0ken/of+the~list.==', 'second_token_of_the_list'] as const;

/** A certificate for localhost that is its own authority, good for servers and clients, and its key. */
export async function pairIn(directory: string, name: string): Promise<PairFiles> {
  const { certificate, key } = await createKeyPair();
  const certFile = join(directory, `${name}.crt`);
  writeFileSync(certFile, certificate);
  const keyFile = secretIn(directory, `${name}.key`, key);
  return { cert: Buffer.from(certificate), key: Buffer.from(key), certFile, keyFile };
}

/** A file that is its owner's alone; `mode` otherwise. */
export function secretIn(directory: string, name: string, text: string | Buffer, mode = 0o600): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}
