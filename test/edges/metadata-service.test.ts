import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KinesisClient } from '@aws-sdk/client-kinesis';
import t, { type Test } from 'tap';
import { metadataServiceFor } from './metadata-service.ts';

process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';

/** Credentials as an AWS client of today finds them in this environment, given back at the test's end. */
async function credentialsIn(t: Test, env: Readonly<Record<string, string>>) {
  const before = { ...process.env };
  const credentialNames = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_PROFILE'];
  for (const name of credentialNames) delete process.env[name];
  Object.assign(process.env, env);
  const client = new KinesisClient({ region: 'us-east-1', maxAttempts: 1 });
  t.teardown(() => client.destroy());
  try {
    return await client.config.credentials({ forceRefresh: true });
  } finally {
    for (const name of Object.keys(env)) delete process.env[name];
    Object.assign(process.env, before);
  }
}

t.test("AWS' client takes an instance's role from it, with a token first", async (t) => {
  const service = await metadataServiceFor(t);
  const found = await credentialsIn(t, service.env);
  t.equal(found.accessKeyId, service.accessKeys[0]);
  t.ok(Number(found.expiration) > Date.now() + 3_000_000);
  t.strictSame(
    [...service.requests.keys()],
    [
      'PUT /latest/api/token',
      'GET /latest/meta-data/iam/security-credentials/',
      'GET /latest/meta-data/iam/security-credentials/spillway-role',
    ],
  );
});

t.test('a request without the token is answered with 401', async (t) => {
  const { url } = await metadataServiceFor(t);
  t.equal((await fetch(`${url}/latest/meta-data/iam/security-credentials/`)).status, 401);
  const ttl = { 'x-aws-ec2-metadata-token-ttl-seconds': '21601' };
  t.equal((await fetch(`${url}/latest/api/token`, { method: 'PUT', headers: ttl })).status, 400);
});

t.test("AWS' client takes a role by web identity from it, and is told a refusal by its code", async (t) => {
  const service = await metadataServiceFor(t);
  const directory = mkdtempSync(join(tmpdir(), 'spillway-identity-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const tokenFile = join(directory, 'token');
  writeFileSync(tokenFile, 'a.web.token');
  const env = {
    ...service.env,
    AWS_ROLE_ARN: 'arn:aws:iam::000000000000:role/delivery',
    AWS_WEB_IDENTITY_TOKEN_FILE: tokenFile,
  };
  const found = await credentialsIn(t, env);
  t.equal(found.sessionToken, `session-of-${service.accessKeys[0]}`);
  t.equal(service.requests.get('AssumeRoleWithWebIdentity'), 1);
  service.faults({ stsError: 'ExpiredTokenException' });
  await t.rejects(credentialsIn(t, env), { name: 'ExpiredTokenException' });
});

t.test("AWS' client assumes a role of a profile with the instance's credentials", async (t) => {
  const service = await metadataServiceFor(t);
  const directory = mkdtempSync(join(tmpdir(), 'spillway-identity-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'config');
  const role = 'role_arn = arn:aws:iam::000000000000:role/delivery';
  writeFileSync(file, `[profile delivery]\n${role}\ncredential_source = Ec2InstanceMetadata\n`);
  const found = await credentialsIn(t, { ...service.env, AWS_CONFIG_FILE: file, AWS_PROFILE: 'delivery' });
  t.equal(found.secretAccessKey, `secret-of-${service.accessKeys[0]}`);
  t.equal(service.requests.get('AssumeRole'), 1);
});

t.test('faults: ended credentials, new ones so often, no role, slow, down', async (t) => {
  const service = await metadataServiceFor(t);
  const token = { 'x-aws-ec2-metadata-token': 'metadata-token' };
  const path = '/latest/meta-data/iam/security-credentials/';
  const get = async () =>
    (await (await fetch(`${service.url}${path}spillway-role`, { headers: token })).json()) as Record<string, string>;
  service.faults({ lifeSeconds: -5 });
  const { AccessKeyId, Expiration } = await get();
  t.ok(Date.parse(Expiration ?? '') < Date.now());
  service.faults({ rotateSeconds: 0.001 });
  const deadline = performance.now() + 5_000;
  while ((await get())['AccessKeyId'] === AccessKeyId) {
    if (performance.now() > deadline) throw new Error('no new credentials within 5 s');
  }
  service.faults({ noRole: true });
  t.equal((await fetch(service.url + path, { headers: token })).status, 404);
  service.faults({ slowMs: 60 });
  const before = performance.now();
  await get();
  t.ok(performance.now() - before >= 59);
  service.faults({ down: true });
  await t.rejects(get(), /fetch failed/);
  service.faults({});
  await get();
});
