import { generate } from 'selfsigned';
import t from 'tap';
import { createKeyPair } from '../../src/simulator/certificate.ts';
import { startSimulator } from '../../src/simulator/process.ts';
import { startConnectProxy } from '../edges/connect-proxy.ts';
import { metadataServiceFor } from '../edges/metadata-service.ts';
import { startAnsweringServer } from './answering-server.ts';
import { answered, checked, keys, ordinary, simulated } from './live-check.ts';

t.test('nothing listens, nothing answers, nothing is found', async (t) => {
  const simulator = await startSimulator({ streams: [{ name: 'orders' }] });
  t.teardown(() => simulator.stop());
  const lines = `endpoint = "${simulator.url}"\nrequest_timeout = "300ms"`;
  await simulator.faults({ hang: true });
  const hung = await checked(t, lines);
  t.match(hung.wrong, [{ check: 'way', result: 'error', cause: 'timeout', cure: /security groups/ }]);
  await simulator.faults({ refuse: true });
  const refused = await checked(t, lines);
  t.match(refused.wrong, [{ check: 'way', cause: 'refused', cure: /host and port of endpoint/ }]);
  const unnamed = await checked(t, 'endpoint = "http://kinesis.invalid:4567"');
  t.match(unnamed.wrong, [{ check: 'way', cause: 'no_dns', cure: /region = "us-east-1" or endpoint/ }]);
  t.strictSame([hung.code, refused.code, unnamed.code], [1, 1, 1]);
});

t.test('what fails inside Kinesis, or breaks connections, is told apart', async (t) => {
  const failing = await simulated(t, { share500: 1 });
  t.match(failing.wrong, [{ check: 'way', cause: 'service_error', cure: /Health Dashboard/ }]);
  const away = await simulated(t, { errorShare: 1, errorType: 'ServiceUnavailable' });
  t.match(away.wrong, [{ check: 'way', cause: 'service_error' }]);
  const reset = await simulated(t, { resetShare: 1 });
  t.match(reset.wrong, [{ check: 'way', cause: 'reset', cure: /firewall/ }]);
});

t.test('no credentials at all', async (t) => {
  const { code, wrong } = await checked(t, 'endpoint = "http://127.0.0.1:1"', { environment: {} });
  t.match(wrong, [{ check: 'credentials', cause: 'no_credentials', cure: /role.*AWS_PROFILE.*AWS_ACCESS_KEY_ID/ }]);
  t.equal(code, 1);
});

t.test('a profile that is missing, and a role that may not be assumed', async (t) => {
  const missing = await checked(t, 'endpoint = "http://127.0.0.1:1"\nprofile = "absent"');
  t.match(missing.wrong, [{ check: 'credentials', cause: 'profile_missing', cure: /AWS_CONFIG_FILE/ }]);
  const service = await metadataServiceFor(t);
  service.faults({ stsError: 'AccessDenied' });
  const environment = { ...keys, ...service.env };
  const role = 'endpoint = "http://127.0.0.1:1"\nrole_arn = "arn:aws:iam::123456789012:role/delivery"';
  const denied = await checked(t, role, { environment });
  t.match(denied.wrong, [{ check: 'credentials', cause: 'role_denied', cure: /sts:AssumeRole on role_arn.*trust/ }]);
  service.faults({});
  const assumed = await checked(t, role, { environment });
  t.match(assumed.findings[0], { result: 'ok', seen: /^from an assumed role, key ASIA\.\.\.\d{4}.*, until 20/ });
});

t.test('a proxy that refuses, or is not there', async (t) => {
  const proxy = await startConnectProxy(t, { refuse: 407 });
  const withUser = proxy.url.replace('//', '//me:very-secret@');
  const refused = await checked(t, `proxy = "${withUser}"`);
  t.match(refused.wrong, [{ check: 'way', result: 'error', cause: 'proxy_refuses', cure: /user and password/ }]);
  t.strictSame(proxy.asked, ['kinesis.us-east-1.amazonaws.com:443']);
  const absent = await checked(t, 'proxy = "http://127.0.0.1:1"');
  t.match(absent.wrong, [{ check: 'way', cause: 'proxy_unreachable', cure: /correct proxy/ }]);
});

t.test('credentials that AWS does not take: expired, unknown, wrong', async (t) => {
  const cases: readonly (readonly [string, string, string, RegExp])[] = [
    [
      'ExpiredTokenException',
      'The security token included in the request is expired',
      'credentials_expired',
      /sso login/,
    ],
    [
      'UnrecognizedClientException',
      'The security token included in the request is invalid.',
      'unknown_key',
      /replace the key/,
    ],
    [
      'InvalidSignatureException',
      'The request signature we calculated does not match the signature you provided.',
      'wrong_signature',
      /AWS_SECRET_ACCESS_KEY/,
    ],
  ];
  for (const [type, message, cause, cure] of cases) {
    const { code, wrong, asked } = await simulated(t, { errorShare: 1, errorType: type });
    t.match(wrong, [{ check: 'credentials', result: 'error', cause, seen: message, cure }], type);
    t.strictSame(asked, { DescribeStreamSummary: 1 }, 'one question is enough');
    t.equal(code, 1);
  }
});

t.test('a clock that is hours behind is named, and does not keep events from being delivered', async (t) => {
  const { code, wrong } = await simulated(t, { clockOffsetMs: 3 * 3_600_000 });
  t.match(wrong, [{ check: 'clock', result: 'warning', cause: 'clock_skewed', seen: /^3h behind/, cure: /NTP/ }]);
  t.equal(code, 0);
});

t.test('a certificate that is not trusted, is for another name, or has expired', async (t) => {
  const { key, certificate: cert } = await createKeyPair();
  const tls = { key, cert };
  t.match((await answered(t, ordinary, { tls })).wrong, [{ check: 'way', cause: 'tls_unknown_ca', cure: /ca_file/ }]);
  t.strictSame((await answered(t, ordinary, { tls, ca: cert })).wrong, []);
  const named = await answered(t, ordinary, { tls, ca: cert, host: '127.0.0.2' });
  t.match(named.wrong, [{ check: 'way', cause: 'tls_wrong_name', cure: /a name that is in/ }]);
  const dayMs = 86_400_000;
  const past = { notBeforeDate: new Date(Date.now() - 2 * dayMs), notAfterDate: new Date(Date.now() - dayMs) };
  const old = await generate([{ name: 'commonName', value: 'localhost' }], { ...past, algorithm: 'sha256' });
  const expired = await answered(t, ordinary, { tls: { key: old.private, cert: old.cert }, ca: old.cert });
  t.match(expired.wrong, [{ check: 'way', cause: 'tls_expired', cure: /renew the certificate/ }]);
});

t.test('an endpoint that is not Kinesis', async (t) => {
  const { wrong } = await answered(t, () => ({ body: '<html>Please log in</html>' }));
  t.match(wrong, [{ check: 'way', cause: 'not_kinesis', cure: /correct endpoint/ }]);
  const spoken = await startAnsweringServer(t);
  const tls = await checked(t, `endpoint = "${spoken.url.replace('http', 'https')}"`);
  t.match(tls.wrong, [{ check: 'way', cause: 'tls_failed', cure: /http:\/\// }]);
});
