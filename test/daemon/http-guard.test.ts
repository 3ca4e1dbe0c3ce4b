import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { HttpListenConfig } from '../../src/daemon/config.ts';
import { HttpGuard } from '../../src/daemon/http-guard.ts';
import { createLog } from '../../src/observe/log.ts';
import { pairIn, secretIn, tokens } from '../ingress/key-pairs.ts';
import { loaded, mistakesOf, smallest } from './sources.ts';

const dayMs = 86_400_000;

/** A guard of what is in the files, and what it logs. */
function guarded(lines: string, startMs: number) {
  const text = `${smallest}[[listen]]\nkind = "http"\naddress = "0.0.0.0:7443"\n${lines}`;
  const listener = loaded(text).listeners[1] as HttpListenConfig;
  const printed: Record<string, unknown>[] = [];
  const clock = { nowMs: startMs };
  const nowMs = (): number => clock.nowMs;
  const log = createLog({ level: 'info', nowMs, write: (line) => printed.push(JSON.parse(line)) });
  return { guard: new HttpGuard({ listener, log, nowMs }), printed, clock };
}

t.test('a certificate that ends within 14 days is warned of once a day, until it is renewed', async (t) => {
  const directory = t.testdir({});
  const [{ certFile, keyFile }, next] = await Promise.all([pairIn(directory, 'old'), pairIn(directory, 'next')]);
  const lines = `cert_file = "${certFile}"\nkey_file = "${keyFile}"\nclient_ca_file = "${certFile}"`;
  const { guard, printed, clock } = guarded(lines, Date.now());
  t.equal(printed.length, 0, 'a new one is not');
  clock.nowMs += 365 * dayMs - 14.5 * dayMs;
  guard.tick();
  t.equal(printed.length, 0);
  for (let hour = 0; hour < 72; hour++) {
    clock.nowMs += dayMs / 24;
    guard.tick();
  }
  t.match(
    printed,
    Array.from({ length: 3 }, () => ({ level: 'warn', code: 'certificate_expires', msg: /old\.crt expires: 2/ })),
  );
  t.equal(printed.length, 3);
  clock.nowMs += 30 * dayMs;
  guard.tick();
  t.match(printed[3], { code: 'certificate_expired', msg: /has expired/ });
  copyFileSync(next.certFile, certFile);
  copyFileSync(next.keyFile, keyFile);
  t.strictSame(
    guard.renew(),
    ['cert_file', 'key_file', 'client_ca_file'].map((option) => `listen 0.0.0.0:7443: contents of ${option}`),
  );
  t.equal(printed.length, 5, 'as old as the one before, and told at once');
});

t.test('files that cannot be used leave those in force that were read before, and are told', async (t) => {
  const directory = t.testdir({});
  const { certFile, keyFile } = await pairIn(directory, 'server');
  const tokenFile = secretIn(directory, 'tokens', tokens[0]);
  const lines = `cert_file = "${certFile}"\nkey_file = "${keyFile}"\ntoken_file = "${tokenFile}"`;
  const { guard, printed } = guarded(lines, Date.now());
  const passes = (token: string): boolean => {
    const headers = { authorization: `Bearer ${token}` };
    return guard.gate.faultOf({ headers, socket: {} } as never, '/v1/status') === undefined;
  };
  t.strictSame(guard.renew(), [], 'nothing changed');
  writeFileSync(tokenFile, 'short');
  t.strictSame(guard.renew(), []);
  t.match(printed, [{ level: 'error', code: 'listen_file', msg: /stays in force: token_file .* line 1 is shorter/ }]);
  t.ok(passes(tokens[0]));
  writeFileSync(tokenFile, tokens[1]);
  writeFileSync(certFile, 'no certificate');
  t.strictSame(guard.renew(), [], 'all or nothing');
  t.ok(passes(tokens[0]));
  writeFileSync(join(directory, 'server.crt'), (await pairIn(directory, 'server')).cert);
  t.strictSame(guard.renew().length, 3);
  t.notOk(passes(tokens[0]));
  t.ok(passes(tokens[1]));
});

t.test('an address beyond this host wants TLS, and somebody who is known', async (t) => {
  const http = (address: string, ...lines: string[]): string =>
    [smallest, '[[listen]]', 'kind = "http"', `address = "${address}"`, ...lines].join('\n');
  const tls = ['cert_file = "/c"', 'key_file = "/k"'];
  for (const address of ['127.0.0.1:1', '127.9.9.9:1', '[::1]:1', 'localhost:1', '[::ffff:127.0.0.1]:1']) {
    t.strictSame(mistakesOf(http(address)), [], address);
  }
  for (const address of [
    '0.0.0.0:1',
    '[::]:1',
    '10.0.0.1:1',
    '[::ffff:10.0.0.1]:1',
    'localhost.example:1',
    '1.127.0.1:1',
  ]) {
    t.match(
      mistakesOf(http(address)),
      [/^spillway.toml:11: listen\[1\].address = .* write cert_file and key_file/],
      address,
    );
    t.match(mistakesOf(http(address, 'token_file = "/t"')), [/write cert_file and key_file/]);
    t.match(mistakesOf(http(address, ...tls)), [/^spillway.toml:11: .* write token_file or client_ca_file/]);
    t.strictSame(mistakesOf(http(address, ...tls, 'token_file = "/t"')), []);
    t.strictSame(mistakesOf(http(address, ...tls, 'client_ca_file = "credential:ca"')), []);
  }
  t.match(mistakesOf(http('127.0.0.1:1', 'cert_file = "/c"')), [
    /:12: listen\[1\].cert_file = "\/c": goes with key_file/,
  ]);
  t.match(mistakesOf(http('127.0.0.1:1', 'key_file = "/k"')), [/key_file = \.\.\.: goes with cert_file/]);
  t.match(mistakesOf(http('127.0.0.1:1', 'client_ca_file = "/a"')), [/client_ca_file = "\/a": goes with cert_file/]);
  t.match(mistakesOf(`${smallest}token_file = "/t"`), [/kind "unix" does not take it/]);
});
