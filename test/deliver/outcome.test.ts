import t from 'tap';
import { SpillwayError } from '../../src/base/errors.ts';
import { classifyFailure, type FailureAction, isThrottled } from '../../src/deliver/outcome.ts';

/** Kinesis API reference: PutRecords, "Errors"; and "Common Error Types". What each must mean, written down a second time. */
const documented: Readonly<Record<FailureAction, readonly string[]>> = {
  slow: [
    'KMSThrottlingException',
    'ProvisionedThroughputExceededException',
    'ThrottlingException',
    'LimitExceededException',
  ],
  stop: 'AccessDeniedException ResourceNotFoundException ExpiredTokenException IncompleteSignature KMSAccessDeniedException KMSDisabledException KMSInvalidStateException KMSNotFoundException KMSOptInRequired NotAuthorized OptInRequired RequestExpired UnrecognizedClientException InvalidClientTokenId MissingAuthenticationTokenException InvalidSignatureException'.split(
    ' ',
  ),
  refused: ['InvalidArgumentException', 'ValidationException', 'SerializationException'],
  again: ['InternalFailureException', 'InternalFailure', 'ServiceUnavailable', 'TimeoutError'],
};

function aws(name: string, status = 400): Error {
  return Object.assign(new Error('as Kinesis says'), { name, $metadata: { httpStatusCode: status } });
}

t.test(
  'every error that Kinesis documents for PutRecords, and every common one, means what the table says',
  async (t) => {
    for (const [action, names] of Object.entries(documented)) {
      for (const name of names)
        t.strictSame(classifyFailure(aws(name)), { action, code: name, message: 'as Kinesis says' });
    }
  },
);

t.test('an error that nobody has heard of is tried again: kept too long is better than lost', async (t) => {
  for (const name of ['BrandNewException', 'constructor', 'toString', '__proto__', '']) {
    t.equal(classifyFailure(aws(name)).action, 'again', name);
  }
  for (const thrown of [undefined, null, 'a string', 7, {}]) t.equal(classifyFailure(thrown).action, 'again');
});

t.test('broken ways are tried again, by the code that Node gives', async (t) => {
  for (const code of ['ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT', 'EPIPE', 'EHOSTUNREACH']) {
    const failure = classifyFailure(Object.assign(new Error('no way'), { code }));
    t.strictSame(failure, { action: 'again', code, message: 'no way' });
  }
  t.strictSame(classifyFailure(aws('UnknownError', 503)).code, 'InternalFailure', 'a bare 503');
});

t.test('what spillway itself finds wrong keeps its code', async (t) => {
  t.match(classifyFailure(new SpillwayError('shard_map', 'a hole')), { action: 'again', code: 'shard_map' });
});

t.test('of the errors of single records, one alone says that the shard had enough', async (t) => {
  t.ok(isThrottled('ProvisionedThroughputExceededException'));
  for (const name of ['InternalFailure', 'KMSThrottlingException', '']) t.notOk(isThrottled(name), name);
});
