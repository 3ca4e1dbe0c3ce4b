/**
 * One daemon that knows secrets of every kind, and whose every way of speaking is read: none of them is in what it says. On the way: the
 * commands get into its guarded listener, and who may not use its socket cannot.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import { connect } from '../../src/client/client.ts';
import { HttpRequester } from '../../src/client/http-requester.ts';
import { spillway } from '../cli/spillway.ts';
import { pairIn, secretIn, tokens } from '../ingress/key-pairs.ts';
import { Rig, until } from './running.ts';

const isRoot = process.getuid?.() === 0;
const nobody = 65_534;

/** What nothing but its own use may show. */
const planted = {
  accessKey: 'AKIAPLANTEDPLANTED77',
  secretKey: 'planted+secret/access+key',
  sessionToken: 'planted-session-token',
  proxyPassword: 'planted-proxy-password',
  externalId: 'planted-external-id',
  wrongToken: 'planted-wrong-token-of-a-stranger',
  token: tokens[0],
  encryptionKey: '70'.repeat(16) + '5a'.repeat(16),
  payload: 'planted-payload-of-an-event',
  key: 'planted-key-of-an-event',
};

/** A daemon with all of them, whose stream cannot be reached; what it and its commands say is gathered in `said`. */
async function secretive(t: Test) {
  const rig = await Rig.start(t);
  const { directory } = rig;
  const { cert, key, certFile, keyFile } = await pairIn(directory, 'server');
  const secrets = { ...planted, privateKey: key.toString().split('\n')[1] as string };
  const tokenFile = secretIn(directory, 'tokens', tokens.join('\n'));
  const strangers = secretIn(directory, 'strangers', planted.wrongToken);
  const stream = `
deadline = "1s"
proxy = "http://user:${planted.proxyPassword}@127.0.0.1:1"
role_arn = "arn:aws:iam::123456789012:role/spillway"
external_id = "${planted.externalId}"`;
  const listen = `cert_file = "${certFile}"\nkey_file = "${keyFile}"\ntoken_file = "${tokenFile}"
[dlq]
encryption_key = "${secretIn(directory, 'dlq.key', planted.encryptionKey)}"
[breaker]
failures = 1
[log]
level = "debug"
interval = "100ms"`;
  const environment = {
    AWS_ACCESS_KEY_ID: planted.accessKey,
    AWS_SECRET_ACCESS_KEY: planted.secretKey,
    AWS_SESSION_TOKEN: planted.sessionToken,
    SPILLWAY_DAEMON_DRAIN_TIMEOUT: '200ms',
  };
  const daemon = await rig.daemon(stream, listen, { environment });
  const config = join(directory, 'spillway.toml');
  const said: [place: string, text: string][] = [];
  const command = async (...words: string[]): Promise<{ code: number; stdout: string; stderr: string }> => {
    const ended = await spillway(words, { ...environment, SPILLWAY_DEBUG: '1' });
    said.push([words.join(' '), ended.stdout + ended.stderr]);
    return ended;
  };
  const events = join(directory, 'events');
  writeFileSync(events, `${JSON.stringify({ data: planted.payload })}\n`.repeat(3));

  return { daemon, directory, config, certFile, cert, tokenFile, strangers, events, secrets, said, command };
}

type Secretive = Awaited<ReturnType<typeof secretive>>;

async function getIn(t: Test, { daemon, certFile, tokenFile, strangers, events, command }: Secretive): Promise<void> {
  const through = ['--to', daemon.url, '--ca', certFile];
  const sent = await command('send', ...through, '--token-file', tokenFile, '--stream', 'orders', events);
  t.match({ code: sent.code, stderr: sent.stderr }, { code: 0, stderr: /3 accepted; 0 refused/ });
  const live = ['top', '--once', '--json', '-i', '100ms'];
  const seen = await command(...live, ...through, '--token-file', tokenFile);
  t.match(JSON.parse(seen.stdout), { status: { state: 'ready', ledger: { accepted: 3 } } });
  t.match(await command(...live, ...through, '--token-file', strangers), {
    code: 1,
    stderr: /no permission.*--token-file/,
  });
  t.match(await command('send', ...through, '--stream', 'orders', events), {
    code: 1,
    stderr: /no token; send "authori/,
  });
  t.match(await command(...live, '--to', daemon.url, '--token-file', tokenFile), {
    code: 1,
    stderr: /certificate/,
  });
  t.match(await command('send', '--to', daemon.url, '--cert', certFile, '--stream', 'orders', events), {
    code: 2,
    stderr: /--cert-key/,
  });
}

async function refusedBySystem(t: Test, { daemon, directory }: Secretive): Promise<void> {
  chmodSync(directory, 0o711);
  const asNobody = (): string => {
    const script = `require('node:net').connect(${JSON.stringify(daemon.socket)})
      .on('connect', () => { console.log('connected'); process.exit(); }).on('error', ({ code }) => console.log(code))`;
    const who = [`--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups'];
    return spawnSync('setpriv', [...who, process.execPath, '-e', script], {
      env: {},
      encoding: 'utf8',
    }).stdout.trim();
  };
  t.equal(asNobody(), 'EACCES');
  chmodSync(daemon.socket, 0o666);
  t.equal(asNobody(), 'connected');
  chmodSync(daemon.socket, 0o660);
}

/** The configuration as somebody may write it who takes an option's secret for its file, or forgets a scheme. */
function withSlips(right: string): string {
  return right
    .replace('proxy = "http://', 'proxy = "')
    .replace('encryption_key = "/', `encryption_key = "${planted.encryptionKey}"\n# "/`)
    .replace('external_id = "', 'external_id = "*')
    .replace('token_file = "/', `token = "${planted.token}"\ntoken_file = "${planted.token}"\n# "/`);
}

function keepsSecrets(t: Test, { said, secrets }: Secretive): void {
  for (const [place, text] of said) {
    t.ok(text.length > 0, place);
    for (const [name, secret] of Object.entries(secrets)) {
      for (const form of [
        secret,
        Buffer.from(secret).toString('base64').replace(/=+$/, ''),
        encodeURIComponent(secret),
      ]) {
        if (text.includes(form))
          t.fail(`${place} shows ${name}: ${text.slice(text.indexOf(form) - 120).slice(0, 300)}`);
      }
    }
  }
}

t.test('secrets and events are in nothing that a daemon and its commands say', async (t) => {
  const all = await secretive(t);
  const { daemon, config, cert, tokenFile, said, command } = all;
  await t.test('send and top get into a guarded listener with a token, and are told what is missing without', (t) =>
    getIn(t, all),
  );
  await t.test('a user without rights to the socket is refused by the system', { skip: !isRoot }, (t) =>
    refusedBySystem(t, all),
  );

  const client = await connect({ path: daemon.socket });
  for (let i = 0; i < 20; i++) client.send(planted.key, Buffer.from(planted.payload));
  t.match(await client.close(), { accepted: 20 });
  const requester = new HttpRequester(daemon.url, { ca: cert, token: planted.token });
  t.teardown(() => requester.close());
  const get = (path: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const url = new URL(path, daemon.url);
      requester
        .request(url, { method: 'GET', headers: {} }, (answer) => resolve(textOf(answer)))
        .once('error', reject)
        .end();
    });
  await until(
    async () => JSON.parse(await get('/v1/status')),
    ({ streams }) => streams.orders.breaker === 'open' && streams.orders.dlq.spilled === 23,
  );
  for (const path of ['/v1/status', '/metrics', '/nowhere']) said.push([path, await get(path)]);
  for (const words of [['ls'], ['stat'], ['verify']]) await command('dlq', ...words, '--config', config);
  t.match((await command('check', '--config', config, '--json')).stdout, /"proxy": "http:\/\/\.\.\.@127\.0\.0\.1:1"/);
  await command('check', '--config', config);
  await command('check', '--config', config, '--live', '--timeout', '3s', '--json');

  await t.test('new contents of files are taken over at SIGHUP, and named', async (t) => {
    writeFileSync(tokenFile, tokens[1]);
    daemon.process.kill('SIGHUP');
    const line = await daemon.line(({ msg }) => msg.startsWith('reloaded: listen'));
    t.strictSame(line['changed'], ['listen 127.0.0.1:0: contents of token_file']);
    t.match(await get('/v1/status'), /"unauthorized"/);
  });

  const right = readFileSync(config, 'utf8');
  writeFileSync(config, withSlips(right));
  daemon.process.kill('SIGHUP');
  await daemon.line(({ msg }) => msg.startsWith('not reloaded: 5 mistakes'));
  t.equal((await command('check', '--config', config)).code, 78);
  await command('check', '--config', config, '--json');
  writeFileSync(config, right);

  t.equal(await daemon.stop(), 0);
  const log = daemon.log.map((line) => JSON.stringify(line)).join('\n');
  t.match(log, /"code":"unauthorized"/, 'the log tells of strangers');
  t.match(log, /requests fail: .*proxy/, 'and of requests that fail');
  said.push(['log', log]);
  t.match((await spillway(['dlq', 'show', '--config', config])).stdout, planted.payload, 'only this shows events');
  keepsSecrets(t, all);
});
