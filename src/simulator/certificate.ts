/**
 * A certificate for localhost, made anew at each start with TLS: nothing secret lies in the repository, nothing expires.
 */
import { generate } from 'selfsigned';
import type { KeyPair } from './listener.ts';

/** P-256 key, self-signed, for localhost, 127.0.0.1 and ::1. */
export async function createKeyPair(): Promise<KeyPair> {
  const made = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
          { type: 7, ip: '::1' },
        ],
      },
    ],
  });
  return { key: made.private, certificate: made.cert };
}
