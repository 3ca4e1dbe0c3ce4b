/**
 * The files that keep an HTTP listener safe: certificate and key, tokens, and the authorities of client certificates. Main thread, at
 * the start, at a reload and for `check`. Neither keys nor tokens go into a message; of tokens only hashes are kept.
 */
import { createHash, createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { toPlainError } from '../base/errors.ts';
import { readNamedFile } from './secret-file.ts';

/** Where they are, as the configuration has it: paths, or "credential:NAME". */
export interface ListenFileNames {
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly clientCaFile?: string | undefined;
}

export interface TlsFiles {
  /** PEM, the server's own certificate first. */
  readonly cert: Buffer;
  readonly key: Buffer;
  /** PEM of the authorities of which a client must have a certificate; undefined: none is asked for. */
  readonly clientCa: Buffer | undefined;
  /** When the server's certificate, or one that it is sent with, expires first: milliseconds since the epoch. */
  readonly expiresMs: number;
}

export interface ListenFiles {
  readonly tls: TlsFiles | undefined;
  /** SHA-256 of each token; undefined: none is asked for. */
  readonly tokens: readonly Buffer[] | undefined;
}

export interface FileProblem {
  readonly option: 'cert_file' | 'key_file' | 'token_file' | 'client_ca_file';
  readonly file: string;
  /** With the cure. */
  readonly problem: string;
}

export type ListenFilesReading =
  | { readonly ok: true; readonly files: ListenFiles }
  | { readonly ok: false; readonly problems: readonly FileProblem[] };

/** Each costs a comparison a request. */
const tokensMax = 64;
const tokenCharsMin = 16;
const tokenCharsMax = 512;
const tokenBytesMax = tokensMax * (tokenCharsMax + 2);
/** A chain of certificates, or the authorities of a whole organisation. */
const pemBytesMax = 1_048_576;
/** RFC 6750, 2.1: what stands behind "Bearer". */
const tokenForm = /^[A-Za-z0-9._~+/-]+=*$/;
const makeToken = '(umask 077; head -c 32 /dev/urandom | base64 > FILE)';
const certificateForm = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Reads all that are named, and holds certificate and key against each other. */
export function readListenFiles(names: ListenFileNames): ListenFilesReading {
  const problems: FileProblem[] = [];
  const tls = readTls(names, problems);
  const { tokenFile } = names;
  const tokens = tokenFile === undefined ? undefined : readTokens(tokenFile, problems);
  return problems.length === 0 ? { ok: true, files: { tls, tokens } } : { ok: false, problems };
}

/** As it is compared: the same length for all tokens, so that the time of a comparison says nothing of one. */
export function tokenHash(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

function readTls(names: ListenFileNames, problems: FileProblem[]): TlsFiles | undefined {
  const { certFile, keyFile, clientCaFile } = names;
  if (certFile === undefined || keyFile === undefined) return undefined;
  const before = problems.length;
  const problemOf = (option: FileProblem['option'], file: string, problem: string): undefined => {
    problems.push({ option, file, problem });
  };
  const chain = readCertificates(certFile, (problem) => problemOf('cert_file', certFile, problem));
  const key = readPrivateKey(keyFile, (problem) => problemOf('key_file', keyFile, problem));
  const authorities =
    clientCaFile === undefined
      ? undefined
      : readCertificates(clientCaFile, (problem) => problemOf('client_ca_file', clientCaFile, problem));
  const own = chain?.certificates[0];
  if (chain === undefined || key === undefined || own === undefined || problems.length > before) return undefined;
  if (!own.checkPrivateKey(key.key)) {
    problemOf(
      'key_file',
      keyFile,
      `is not the key of the first certificate in ${certFile}: give the two that belong together`,
    );
    return undefined;
  }
  const tls = { cert: chain.bytes, key: key.bytes, clientCa: authorities?.bytes };
  try {
    // OpenSSL has rules of its own, such as how weak a key may be.
    createSecureContext({ cert: tls.cert, key: tls.key, ca: tls.clientCa });
  } catch (error) {
    problemOf('cert_file', certFile, `cannot be used: ${toPlainError(error).message}; have another certificate issued`);
    return undefined;
  }
  return { ...tls, expiresMs: Math.min(...chain.certificates.map(({ validTo }) => Date.parse(validTo))) };
}

type OnProblem = (problem: string) => undefined;

function readCertificates(
  named: string,
  onProblem: OnProblem,
): { readonly bytes: Buffer; readonly certificates: readonly X509Certificate[] } | undefined {
  const reading = readNamedFile(named, { isPrivate: false, bytesMax: pemBytesMax });
  if ('problem' in reading) return onProblem(reading.problem);
  const { bytes } = reading;
  if (bytes.length > pemBytesMax) return onProblem(`is longer than ${pemBytesMax} bytes: give certificates alone`);
  const found = bytes.toString('latin1').match(certificateForm) ?? [];
  if (found.length === 0) return onProblem('holds no PEM certificate: give one that does');
  try {
    return { bytes, certificates: found.map((pem) => new X509Certificate(pem)) };
  } catch {
    return onProblem('holds a certificate that cannot be read: give it as PEM, whole');
  }
}

function readPrivateKey(
  named: string,
  onProblem: OnProblem,
): { readonly bytes: Buffer; readonly key: KeyObject } | undefined {
  const reading = readNamedFile(named, { isPrivate: true, bytesMax: pemBytesMax });
  if ('problem' in reading) return onProblem(reading.problem);
  const { bytes } = reading;
  try {
    return { bytes, key: createPrivateKey(bytes) };
  } catch {
    // OpenSSL has several words for it.
    const isSealed = bytes.includes('ENCRYPTED');
    return onProblem(
      isSealed
        ? 'is encrypted, and nobody is there to type its passphrase: store it without (openssl pkey -in FILE -out NEW)'
        : 'holds no PEM private key: give the key of cert_file',
    );
  }
}

function readTokens(named: string, problems: FileProblem[]): readonly Buffer[] {
  const refuse = (problem: string): readonly Buffer[] => {
    problems.push({ option: 'token_file', file: named, problem });
    return [];
  };
  const rules = { isPrivate: true, bytesMax: tokenBytesMax, make: `make a token with ${makeToken}` };
  const reading = readNamedFile(named, rules);
  if ('problem' in reading) return refuse(reading.problem);
  if (reading.bytes.length > tokenBytesMax) return refuse(`is longer than ${tokenBytesMax} bytes: give tokens alone`);
  const lines = reading.bytes.toString('latin1').split(/\r?\n/);
  const tokens: Buffer[] = [];
  for (const [index, line] of lines.entries()) {
    if (line === '') continue;
    const wrong = tokenProblem(line);
    if (wrong !== undefined) return refuse(`line ${index + 1} ${wrong}: make a token with ${makeToken}`);
    tokens.push(tokenHash(line));
  }
  if (tokens.length === 0) return refuse(`holds no token: make one with ${makeToken}`);
  if (tokens.length > tokensMax) return refuse(`holds ${tokens.length} tokens: at most ${tokensMax}`);
  return tokens;
}

function tokenProblem(line: string): string | undefined {
  if (line.length < tokenCharsMin) return `is shorter than ${tokenCharsMin} characters`;
  if (line.length > tokenCharsMax) return `is longer than ${tokenCharsMax} characters`;
  return tokenForm.test(line)
    ? undefined
    : 'has characters that no token has (A-Z a-z 0-9 - . _ ~ + / and = at its end)';
}
