import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type ListenFileNames, readListenFiles, tokenHash } from '../../src/edges/listen-files.ts';
import { pairIn, secretIn, tokens } from '../ingress/key-pairs.ts';

/** What is said against the files, as `option: problem`. */
function problemsOf(names: ListenFileNames): string[] {
  const reading = readListenFiles(names);
  return reading.ok ? [] : reading.problems.map(({ option, problem }) => `${option}: ${problem}`);
}

t.test('certificate, key, authorities and tokens are read from files', async (t) => {
  const directory = t.testdir({});
  const { cert, key, certFile, keyFile } = await pairIn(directory, 'server');
  const tokenFile = secretIn(directory, 'tokens', `${tokens.join('\r\n')}\n\n`);
  const reading = readListenFiles({ certFile, keyFile, tokenFile, clientCaFile: certFile });
  t.match(reading, { ok: true, files: { tls: { cert, key, clientCa: cert }, tokens: tokens.map(tokenHash) } });
  t.notOk(JSON.stringify(reading).includes(tokens[0]), 'no token is kept');
  t.same(readListenFiles({}), { ok: true, files: { tls: undefined, tokens: undefined } });
});

t.test('a file that cannot be used is told with its option and the cure, all of them at once', async (t) => {
  const directory = t.testdir({
    empty: '',
    'half.crt': '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n',
  });
  const [one, other] = await Promise.all([pairIn(directory, 'one'), pairIn(directory, 'other')]);
  const { certFile, keyFile } = one;
  const empty = join(directory, 'empty');
  t.match(problemsOf({ certFile: join(directory, 'none'), keyFile: certFile, tokenFile: empty }), [
    /^cert_file: cannot be read \(ENOENT\)/,
    /^key_file: (holds no PEM private key|others than its owner)/,
    /^token_file: (holds no token|others than its owner)/,
  ]);
  t.match(problemsOf({ certFile: empty, keyFile }), [/^cert_file: holds no PEM certificate/]);
  t.match(problemsOf({ certFile: join(directory, 'half.crt'), keyFile }), [
    /^cert_file: holds a certificate that cannot/,
  ]);
  t.match(problemsOf({ certFile, keyFile: other.keyFile }), [/^key_file: is not the key of the first certificate in/]);
  t.match(problemsOf({ certFile, keyFile, clientCaFile: keyFile }), [/^client_ca_file: holds no PEM certificate/]);
  t.match(problemsOf({ certFile, keyFile: secretIn(directory, 'open.key', one.key, 0o604) }), [
    /^key_file: others than its owner may use it \(mode 0604\): chmod 0400/,
  ]);
  const sealed = secretIn(directory, 'sealed.key', '');
  execFileSync('openssl', ['pkey', '-in', keyFile, '-aes256', '-passout', 'pass:x', '-out', sealed]);
  t.match(problemsOf({ certFile, keyFile: sealed }), [/^key_file: is encrypted/]);
  writeFileSync(join(directory, 'long.crt'), Buffer.alloc(1_048_577, '\n'));
  t.match(problemsOf({ certFile: join(directory, 'long.crt'), keyFile }), [/^cert_file: is longer than 1048576 bytes/]);
});

t.test('tokens are long enough, of the characters of a header, at most 64, and in no message', async (t) => {
  const directory = t.testdir({});
  const wrongs: [string, RegExp][] = [
    ['\n', /holds no token/],
    [`${tokens[0]}\nshort-of-sixteen`.slice(0, -1), /line 2 is shorter than 16 characters/],
    ['t'.repeat(513), /line 1 is longer than 512/],
    [`with a space in ${tokens[0]}`, /line 1 has characters that no token has/],
    [Array.from({ length: 65 }, (_, i) => `token-number-${1_000 + i}`).join('\n'), /holds 65 tokens: at most 64/],
  ];
  for (const [text, said] of wrongs) {
    const [problem = ''] = problemsOf({ tokenFile: secretIn(directory, 'tokens', text) });
    t.match(problem, said);
    for (const line of text.split('\n').filter((each) => each !== '')) t.notOk(problem.includes(line));
  }
  const most = Array.from({ length: 64 }, (_, i) => `token-number-${1_000 + i}`).join('\n');
  t.strictSame(problemsOf({ tokenFile: secretIn(directory, 'most', most) }), []);
  t.match(problemsOf({ tokenFile: secretIn(directory, 'shared', tokens[0], 0o644) }), [/mode 0644\): chmod 0400/]);
  t.match(problemsOf({ tokenFile: 'credential:tokens' }), [/no such credential/]);
});
