import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { Credentials, openCredentials } from '../../src/edges/credentials.ts';
import { openKinesis } from '../../src/edges/kinesis.ts';
import { startAnsweringServer } from '../cli/answering-server.ts';
import { metadataServiceFor } from './metadata-service.ts';

process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';
for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_PROFILE']) {
  delete process.env[name];
}

/** A source on a clock of its own: keys are numbered, each set lives for `lifeMs`, and it can be away. */
class Source {
  nowMs = 1_000_000;
  lifeMs = 3_600_000;
  away = false;
  asked = 0;
  readonly credentials = new Credentials(
    async () => {
      this.asked++;
      if (this.away) throw Object.assign(new Error('Could not load'), { name: 'CredentialsProviderError' });
      return {
        accessKeyId: `key ${this.asked}`,
        secretAccessKey: 's',
        expiration: new Date(this.nowMs + this.lifeMs),
      };
    },
    { nowMs: () => this.nowMs, nowUs: () => this.nowMs * 1000 },
  );

  async key(): Promise<string> {
    const { accessKeyId } = await this.credentials.get({});
    // What goes on in the background has ended by then.
    await new Promise(setImmediate);
    return accessKeyId;
  }
}

t.test('a set is asked for once and kept until five minutes before its end, then renewed without a wait', async (t) => {
  const source = new Source();
  t.strictSame(await Promise.all([source.key(), source.key()]), ['key 1', 'key 1']);
  source.nowMs += source.lifeMs - 300_000;
  t.equal(await source.key(), 'key 1');
  t.equal(source.asked, 1);
  source.nowMs += 1;
  t.equal(await source.key(), 'key 1', 'the request goes with what is there');
  t.equal(await source.key(), 'key 2', 'the next one with the new set');
  t.equal(source.asked, 2);
});

t.test(
  'a source that is away for ten minutes: the set is used up, and the first request after its return goes',
  async (t) => {
    const source = new Source();
    source.lifeMs = 420_000;
    t.equal(await source.key(), 'key 1');
    source.away = true;
    let failed = 0;
    let passed = 0;
    for (let second = 1; second <= 600; second++) {
      source.nowMs += 1_000;
      await source.key().then(
        () => passed++,
        () => failed++,
      );
    }
    t.equal(passed, 419, 'as long as the set lives');
    t.equal(failed, 181, 'afterwards every request hears that there is none');
    t.ok(source.asked <= 1 + 600, 'asked once a second at most');
    source.away = false;
    t.match(await source.key(), /^key \d+$/, 'nothing remembers the failure');
  },
);

t.test('a set that AWS refuses is doubted: asked again at once, then once a second', async (t) => {
  const source = new Source();
  await source.key();
  source.nowMs += 2_000;
  source.credentials.refused();
  t.equal(await source.key(), 'key 2');
  source.credentials.refused();
  t.equal(await source.key(), 'key 2', 'no flood of questions');
  source.nowMs += 1_000;
  t.equal(await source.key(), 'key 3');
});

t.test('static keys of a profile file that AWS refuses are read again, and the next request goes', async (t) => {
  const file = join(t.testdir(), 'credentials');
  const write = (key: string): void =>
    writeFileSync(file, `[delivery]\naws_access_key_id = ${key}\naws_secret_access_key = secret\n`);
  write('AKIAOLD');
  process.env['AWS_SHARED_CREDENTIALS_FILE'] = file;
  process.env['AWS_CONFIG_FILE'] = '/nonexistent';
  t.teardown(() => {
    delete process.env['AWS_SHARED_CREDENTIALS_FILE'];
    delete process.env['AWS_CONFIG_FILE'];
  });
  const server = await startAnsweringServer(t, (_, { authorization = '' }) =>
    authorization.includes('AKIANEW') ? undefined : { type: 'ExpiredTokenException', message: 'expired' },
  );
  const kinesis = openKinesis({
    streamName: 'orders',
    region: 'us-east-1',
    endpoint: server.url,
    profile: 'delivery',
    requestsInFlight: 1,
    requestTimeoutMs: 2_000,
    connectTimeoutMs: 1_000,
  });
  t.teardown(() => kinesis.destroy());
  await t.rejects(kinesis.listShards(false), { name: 'ExpiredTokenException' });
  write('AKIANEW');
  const startMs = performance.now();
  const lists = (): Promise<boolean> =>
    kinesis.listShards(false).then(
      () => true,
      () => false,
    );
  while (!(await lists())) {
    if (performance.now() - startMs > 5_000) throw new Error('not within 5 s');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  t.ok(performance.now() - startMs < 2_000, `${performance.now() - startMs} ms`);
});

t.test('a profile that is missing is an error, whatever other credentials there are', async (t) => {
  const service = await metadataServiceFor(t);
  Object.assign(process.env, service.env);
  t.teardown(() => {
    for (const name of Object.keys(service.env)) delete process.env[name];
  });
  const clock = { nowMs: () => Date.now(), nowUs: () => Date.now() * 1000 };
  const named = openCredentials({ region: 'us-east-1', profile: 'absent' }, clock);
  await t.rejects(named.get({}), { name: 'CredentialsProviderError', message: /using profile: \[absent\]/ });
  service.faults({ noRole: true });
  process.env['AWS_PROFILE'] = 'absent';
  t.teardown(() => {
    delete process.env['AWS_PROFILE'];
  });
  const nowhere = openCredentials({ region: 'us-east-1' }, clock);
  await t.rejects(nowhere.get({}), { name: 'CredentialsProviderError', message: /using profile: \[absent\]/ });
  delete process.env['AWS_PROFILE'];
  service.faults({});
  const chain = openCredentials({ region: 'us-east-1' }, clock);
  t.equal((await chain.get({})).accessKeyId, service.accessKeys[0]);
});

t.test('a web identity token is exchanged for credentials', async (t) => {
  const service = await metadataServiceFor(t);
  const tokenFile = join(t.testdir({ token: 'a.web.token' }), 'token');
  const role = { AWS_ROLE_ARN: 'arn:aws:iam::123456789012:role/pod', AWS_WEB_IDENTITY_TOKEN_FILE: tokenFile };
  const env = { ...service.env, ...role };
  Object.assign(process.env, env);
  t.teardown(() => {
    for (const name of Object.keys(env)) delete process.env[name];
  });
  const server = await startAnsweringServer(t, (_, { 'x-amz-security-token': token }) =>
    String(token).startsWith('session-of-ASIA') ? undefined : { type: 'ExpiredTokenException', message: 'expired' },
  );
  const kinesis = openKinesis({
    streamName: 'orders',
    region: 'us-east-1',
    endpoint: server.url,
    requestsInFlight: 1,
    requestTimeoutMs: 2_000,
    connectTimeoutMs: 1_000,
  });
  t.teardown(() => kinesis.destroy());
  t.equal((await kinesis.listShards(false)).length, 1);
  t.equal(service.requests.get('AssumeRoleWithWebIdentity'), 1);
});

t.test("a role is assumed with the instance's credentials, as spillway-HOST, with its external ID", async (t) => {
  const service = await metadataServiceFor(t);
  let form = new URLSearchParams();
  const sts = createServer((request, response) => {
    let body = '';
    request.on('data', (piece: Buffer) => {
      body += piece.toString();
    });
    request.on('end', () => {
      form = new URLSearchParams(body);
      void fetch(service.url, { method: 'POST', body }).then(async (answer) => {
        response.writeHead(answer.status, { 'content-type': 'text/xml' }).end(await answer.text());
      });
    });
  });
  await new Promise<void>((resolve) => sts.listen(0, '127.0.0.1', resolve));
  const env = { ...service.env, AWS_ENDPOINT_URL_STS: `http://127.0.0.1:${(sts.address() as AddressInfo).port}` };
  Object.assign(process.env, env);
  t.teardown(async () => {
    for (const name of Object.keys(env)) delete process.env[name];
    sts.closeAllConnections();
    await new Promise((resolve) => sts.close(resolve));
  });
  const signed: string[] = [];
  const server = await startAnsweringServer(t, (_, { authorization = '', 'x-amz-security-token': token }) => {
    signed.push(`${/Credential=(\w+)/.exec(authorization)?.[1]} ${String(token)}`);
    return undefined;
  });
  const kinesis = openKinesis({
    streamName: 'orders',
    region: 'us-east-1',
    endpoint: server.url,
    roleArn: 'arn:aws:iam::123456789012:role/delivery',
    externalId: 'shared-with-them',
    requestsInFlight: 1,
    requestTimeoutMs: 2_000,
    connectTimeoutMs: 1_000,
  });
  t.teardown(() => kinesis.destroy());
  await kinesis.listShards(false);
  await kinesis.listShards(false);
  t.equal(form.get('RoleArn'), 'arn:aws:iam::123456789012:role/delivery');
  t.match(form.get('RoleSessionName'), /^spillway-[\w+=,.@-]+$/);
  t.equal(form.get('ExternalId'), 'shared-with-them');
  t.equal(service.requests.get('AssumeRole'), 1, 'once for many requests');
  t.match(signed, [/^ASIA\d+ session-of-ASIA/, /^ASIA/]);
});
