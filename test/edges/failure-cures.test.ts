import t from 'tap';
import { type Asked, failureCause, failureCauses, failureCure, failureFacts } from '../../src/edges/failure-cures.ts';

const asked: Asked = {
  action: 'kinesis:PutRecords',
  stream: 'orders',
  region: 'eu-west-1',
  proxy: 'http://proxy:3128',
};

t.test('every cause has one sentence without a full stop, and a cure', async (t) => {
  for (const cause of failureCauses) {
    const { says, cure } = failureCure(cause, asked);
    t.match(says, /^[^.]{20,}$|^[^.]*(amazonaws|eu-west-1)[^]*[^.]$/, cause);
    t.match(cure, /^[a-z].{20,}[^.]$/, cause);
  }
  t.ok(failureCauses.length > 25);
});

t.test('cures name the action, the stream and the place', async (t) => {
  t.match(failureCure('access_denied', asked).cure, /allow the IAM action kinesis:PutRecords on orders/);
  t.match(failureCure('refused', { ...asked, endpoint: 'http://127.0.0.1:4567' }).says, 'http://127.0.0.1:4567');
  t.match(failureCure('no_dns', asked).says, 'the Kinesis endpoint of eu-west-1');
});

t.test('one name with several meanings is told apart by its message', async (t) => {
  const cases: readonly (readonly [string, string, string | undefined])[] = [
    ['InvalidSignatureException', 'Signature expired: 20261125T010203Z is now earlier than 2026...', 'clock_skewed'],
    ['InvalidSignatureException', 'Signature not yet current: 2026...', 'clock_skewed'],
    ['InvalidSignatureException', 'The request signature we calculated does not match', 'wrong_signature'],
    ['AccessDenied', 'User: x is not authorized to perform: sts:AssumeRole on resource: y', 'role_denied'],
    ['AccessDeniedException', 'User: x is not authorized to perform: kinesis:PutRecords', 'access_denied'],
    ['CredentialsProviderError', 'The SSO session associated with this profile has expired.', 'credentials_expired'],
    ['CredentialsProviderError', 'Could not resolve credentials using profile: [x] in', 'profile_missing'],
    ['CredentialsProviderError', 'Could not load credentials from any providers', 'no_credentials'],
    ['SomethingNew', 'whatever', undefined],
  ];
  for (const [code, message, cause] of cases) t.equal(failureCause(code, message), cause, message);
});

t.test("Node's code counts more than the name that the SDK gives a broken connection", async (t) => {
  const broken = Object.assign(new Error('socket hang up'), { name: 'TimeoutError', code: 'ECONNRESET' });
  t.equal(failureCause(failureFacts(broken).code, ''), 'reset');
  const modelled = Object.assign(new Error('no'), { name: 'ResourceNotFoundException', code: 'whatever' });
  t.equal(failureFacts(modelled).code, 'ResourceNotFoundException');
  const both = Object.assign(new AggregateError([new Error('connect ECONNREFUSED ::1:1')], ''), {
    code: 'ECONNREFUSED',
  });
  t.strictSame(failureFacts(both), { code: 'ECONNREFUSED', message: 'connect ECONNREFUSED ::1:1' });
  const html = Object.assign(new Error(''), { name: 'UnknownError', $metadata: { httpStatusCode: 502 } });
  t.strictSame(failureFacts(html), { code: 'InternalFailure', message: 'status 502' });
});
