/**
 * What an error of Kinesis means for what was sent: a closed table. Lane worker; pure.
 *
 * ```
 *   again     Kinesis or the way to it failed: the same body later; several in a row open the stream's breaker
 *   slow      too much for the stream, the account or the key: the same body later; says nothing bad about the destination
 *   stop      nothing will pass until somebody acts: the breaker opens at once, a probe asks now and then
 *   refused   this request will never pass: its events are tried apart, until the guilty one stands alone: a dead letter
 * ```
 * Errors that the table does not name count as `again`: an event that is kept too long is better than one that is lost.
 * Names are those of the Kinesis API reference (PutRecords, "Errors" and "Common Errors"), of the SDK, and of Node.
 */
import { SpillwayError } from '../base/errors.ts';
import { failureFacts } from '../edges/failure-cures.ts';

export type FailureAction = 'again' | 'slow' | 'stop' | 'refused';

export interface Failure {
  readonly action: FailureAction;
  readonly code: string;
  readonly message: string;
}

const actions: Readonly<Record<string, FailureAction>> = {
  ProvisionedThroughputExceededException: 'slow',
  LimitExceededException: 'slow',
  ThrottlingException: 'slow',
  Throttling: 'slow',
  RequestLimitExceeded: 'slow',
  SlowDown: 'slow',
  KMSThrottlingException: 'slow',

  AccessDeniedException: 'stop',
  ResourceNotFoundException: 'stop',
  ResourceInUseException: 'stop',
  KMSAccessDeniedException: 'stop',
  KMSDisabledException: 'stop',
  KMSInvalidStateException: 'stop',
  KMSNotFoundException: 'stop',
  KMSOptInRequired: 'stop',
  ExpiredTokenException: 'stop',
  ExpiredToken: 'stop',
  UnrecognizedClientException: 'stop',
  InvalidClientTokenId: 'stop',
  InvalidSignatureException: 'stop',
  SignatureDoesNotMatch: 'stop',
  IncompleteSignature: 'stop',
  MissingAuthenticationTokenException: 'stop',
  NotAuthorized: 'stop',
  OptInRequired: 'stop',
  RequestExpired: 'stop',
  RequestTimeTooSkewed: 'stop',
  CredentialsProviderError: 'stop',
  TokenProviderError: 'stop',
  UnknownOperationException: 'stop',

  ValidationException: 'refused',
  InvalidArgumentException: 'refused',
  SerializationException: 'refused',

  InternalFailure: 'again',
  InternalFailureException: 'again',
  InternalServerError: 'again',
  ServiceUnavailable: 'again',
  ServiceUnavailableException: 'again',
  TimeoutError: 'again',
  ECONNREFUSED: 'again',
  ECONNRESET: 'again',
  ENOTFOUND: 'again',
  EAI_AGAIN: 'again',
  EHOSTUNREACH: 'again',
  ENETUNREACH: 'again',
  ETIMEDOUT: 'again',
  EPIPE: 'again',
};

/** Per-record error codes after which the shard, and not Kinesis, had enough. The others say "again" without more. */
export function isThrottled(recordError: string): boolean {
  return recordError === 'ProvisionedThroughputExceededException';
}

export function classifyFailure(error: unknown): Failure {
  const { code, message } = error instanceof SpillwayError ? error : failureFacts(error);
  return { action: Object.hasOwn(actions, code) ? (actions[code] as FailureAction) : 'again', code, message };
}
