/**
 * The flags by which a command gets into a guarded HTTP listener, and what their files hold. Main thread of `spillway send` and
 * `spillway top`.
 */
import { createPrivateKey } from 'node:crypto';
import { resolve } from 'node:path';
import { createSecureContext } from 'node:tls';
import type { Command } from 'commander';
import { SpillwayError, toPlainError } from '../base/errors.ts';
import type { HttpAccess } from '../client/http-requester.ts';
import { readNamedFile } from '../edges/secret-file.ts';

export interface AccessFlags {
  readonly ca?: string;
  readonly tokenFile?: string;
  readonly cert?: string;
  readonly certKey?: string;
}

const fileBytesMax = 1_048_576;

export function withAccessFlags(command: Command): Command {
  return command
    .option('--ca <file>', 'trust https:// by these authorities (PEM)')
    .option('--token-file <file>', 'send the first token in this file')
    .option('--cert <file>', 'show this client certificate (PEM)')
    .option('--cert-key <file>', 'its private key (PEM)');
}

/** Throws `usage` where flags do not go together or with `to`, `file_unreadable` where a file cannot be used. */
export function accessOf(to: string, { ca, tokenFile, cert, certKey }: AccessFlags): HttpAccess {
  const isTls = to.startsWith('https://');
  if (!isTls && (ca ?? cert ?? certKey) !== undefined)
    throw new SpillwayError('usage', `--ca, --cert and --cert-key go with https://, not with --to ${to}`);
  if (!isTls && tokenFile !== undefined && !to.startsWith('http://'))
    throw new SpillwayError('usage', `--token-file goes with http:// or https://, not with --to ${to}`);
  if ((cert === undefined) !== (certKey === undefined))
    throw new SpillwayError('usage', '--cert and --cert-key go together: give both or none');
  const access: HttpAccess = {
    ...(ca === undefined ? {} : { ca: bytesOf(ca, false) }),
    ...(cert === undefined ? {} : { cert: bytesOf(cert, false) }),
    ...(certKey === undefined ? {} : { key: keyOf(certKey) }),
    ...(tokenFile === undefined ? {} : { token: tokenOf(tokenFile) }),
  };
  try {
    if (isTls) createSecureContext(access);
  } catch (error) {
    throw new SpillwayError(
      'file_unreadable',
      `--ca, --cert and --cert-key cannot be used: ${toPlainError(error).message}`,
      {
        cause: error,
      },
    );
  }
  return access;
}

function bytesOf(file: string, isPrivate: boolean): Buffer {
  const reading = readNamedFile(resolve(file), { isPrivate, bytesMax: fileBytesMax });
  if ('bytes' in reading) return reading.bytes;
  throw new SpillwayError('file_unreadable', `${file} ${reading.problem}`, { fields: { file } });
}

function keyOf(file: string): Buffer {
  const bytes = bytesOf(file, true);
  try {
    createPrivateKey(bytes);
    return bytes;
  } catch {
    throw new SpillwayError(
      'file_unreadable',
      `${file} holds no PEM private key without a passphrase: give the key of --cert`,
    );
  }
}

function tokenOf(file: string): string {
  const token = bytesOf(file, true)
    .toString('latin1')
    .split(/\r?\n/)
    .find((line) => line !== '');
  if (token !== undefined && /^[!-~]+$/.test(token)) return token;
  throw new SpillwayError('file_unreadable', `${file} holds no token: write one on a line of its own`, {
    fields: { file },
  });
}
