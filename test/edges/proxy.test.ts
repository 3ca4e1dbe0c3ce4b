import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import t, { type Test } from 'tap';
import { failureCause, failureFacts } from '../../src/edges/failure-cures.ts';
import { type KinesisTarget, openKinesis } from '../../src/edges/kinesis.ts';
import { proxyOfEnvironment } from '../../src/edges/proxy.ts';
import { type AnsweringServer, startAnsweringServer } from '../cli/answering-server.ts';
import { type ConnectProxy, type ProxyBehaviour, startConnectProxy } from './connect-proxy.ts';

process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';

/** Only a proxy leads there. */
const host = 'kinesis.eu-west-1.invalid';

/** An endpoint with TLS under a name that no name server knows, and a proxy that leads to it. */
async function behindProxy(t: Test, behaviour: ProxyBehaviour = {}) {
  const altNames = [{ type: 2 as const, value: host }];
  const pair = await generate([{ name: 'commonName', value: host }], {
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames },
    ],
  });
  const server = await startAnsweringServer(t, undefined, { tls: { key: pair.private, cert: pair.cert } });
  const proxy = await startConnectProxy(t, { port: Number(new URL(server.url).port), ...behaviour });
  const caFile = join(t.testdir(), 'ca.pem');
  writeFileSync(caFile, pair.cert);
  return { server, proxy, caFile };
}

function target(options: Partial<KinesisTarget>): KinesisTarget {
  return {
    streamName: 'orders',
    region: 'eu-west-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    requestsInFlight: 4,
    requestTimeoutMs: 2_000,
    connectTimeoutMs: 500,
    ...options,
  };
}

/** The cause of a ListShards that fails. */
async function causeOf(options: Partial<KinesisTarget>): Promise<string | undefined> {
  const kinesis = openKinesis(target(options));
  try {
    await kinesis.listShards(false);
    return undefined;
  } catch (error) {
    const { code, message } = failureFacts(error);
    return failureCause(code, message) ?? `${code}: ${message}`;
  } finally {
    kinesis.destroy();
  }
}

async function listsTwice(
  t: Test,
  options: Partial<KinesisTarget>,
  { server, proxy }: { server: AnsweringServer; proxy: ConnectProxy },
): Promise<void> {
  const kinesis = openKinesis(target(options));
  t.teardown(() => kinesis.destroy());
  t.equal((await kinesis.listShards(false)).length, 1);
  t.equal((await kinesis.listShards(false)).length, 1);
  t.strictSame(server.asked, ['ListShards', 'ListShards']);
  t.equal(proxy.asked.length, 1, 'one tunnel carries many requests');
}

t.test('TLS goes through a proxy to a name that only the proxy knows, its certificate is checked', async (t) => {
  const behind = await behindProxy(t, { user: 'me:p@ss' });
  const { proxy, caFile } = behind;
  const endpoint = `https://${host}`;
  const withUser = proxy.url.replace('//', '//me:p%40ss@');
  await listsTwice(t, { endpoint, caFile, proxy: withUser }, behind);
  t.strictSame(proxy.asked, [`${host}:443`]);
  t.equal(await causeOf({ endpoint, proxy: withUser }), 'tls_unknown_ca');
  t.equal(await causeOf({ endpoint, caFile, proxy: proxy.url }), 'proxy_refuses', 'without the password');
  t.equal(await causeOf({ endpoint: 'https://another.invalid', caFile, proxy: withUser }), 'tls_wrong_name');
});

t.test('plain HTTP goes through a proxy as well', async (t) => {
  const server = await startAnsweringServer(t);
  const proxy = await startConnectProxy(t, { port: Number(new URL(server.url).port) });
  await listsTwice(t, { endpoint: `http://${host}:8080`, proxy: proxy.url }, { server, proxy });
  t.strictSame(proxy.asked, [`${host}:8080`]);
});

t.test('a proxy that refuses, is silent, or is not there, is told apart from an endpoint that is', async (t) => {
  const endpoint = `https://${host}`;
  const refusing = await startConnectProxy(t, { refuse: 403 });
  t.equal(await causeOf({ endpoint, proxy: refusing.url }), 'proxy_refuses');
  const silent = await startConnectProxy(t, { silent: true });
  const startMs = performance.now();
  t.match(await causeOf({ endpoint, proxy: silent.url }), /^(proxy_unreachable|timeout)$/);
  t.ok(performance.now() - startMs < 1_500, 'within connect_timeout');
  t.equal(await causeOf({ endpoint, proxy: 'http://127.0.0.1:1' }), 'proxy_unreachable');
  t.equal(await causeOf({ endpoint }), 'no_dns', 'without a proxy, the name is not known');
});

t.test(
  'HTTPS_PROXY of the environment is used for https:// alone, and not where NO_PROXY names the host',
  async (t) => {
    const behind = await behindProxy(t);
    const { proxy, caFile } = behind;
    t.teardown(() => {
      delete process.env['HTTPS_PROXY'];
      delete process.env['NO_PROXY'];
    });
    process.env['HTTPS_PROXY'] = proxy.url;
    await listsTwice(t, { endpoint: `https://${host}`, caFile }, behind);
    t.equal(await causeOf({ endpoint: `http://${host}` }), 'no_dns');
    process.env['NO_PROXY'] = 'other.example,.invalid';
    t.equal(await causeOf({ endpoint: `https://${host}`, caFile }), 'no_dns');
  },
);

t.test('NO_PROXY names hosts, domains, ports, or everything', async (t) => {
  const used = (noProxy: string, name: string, port = '443') =>
    proxyOfEnvironment(name, port, { HTTPS_PROXY: 'proxy:3128', NO_PROXY: noProxy }) !== undefined;
  t.equal(proxyOfEnvironment(host, '443', { https_proxy: 'proxy:3128' }), 'http://proxy:3128');
  t.equal(proxyOfEnvironment(host, '443', {}), undefined);
  for (const own of ['localhost', '127.0.0.1', '::1', '[::1]', 'LOCALHOST']) t.notOk(used('', own), own);
  t.notOk(used('*', host));
  t.notOk(used('a.example b.example', 'b.example'), 'separated by spaces');
  t.notOk(used('example', 'kinesis.example'), 'a domain');
  t.notOk(used('*.example', 'kinesis.example'));
  t.notOk(used('.Example', 'KINESIS.example'));
  t.ok(used('example', 'kinesisexample'), 'only whole labels');
  t.ok(used('kinesis.example:8443', 'kinesis.example'));
  t.notOk(used('kinesis.example:8443', 'kinesis.example', '8443'));
  t.ok(used(' , ,', 'kinesis.example'), 'an empty entry is nothing');
});
