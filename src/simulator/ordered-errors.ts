/** The errors that faults order, as AWS answers them: status, type, message. Pure; used by conclusion.ts. */
import { accountId, region } from './account.ts';
import type { FaultPlan } from './faults.ts';
import { ApiError } from './wire.ts';

/** Those of another status than 400. */
const statuses: Readonly<Record<string, number>> = {
  InternalFailure: 500,
  InternalServerError: 500,
  ServiceUnavailable: 503,
  ServiceUnavailableException: 503,
  SlowDown: 503,
};

/** Where AWS' words are known. */
const messages: Readonly<Record<string, string>> = {
  InternalFailure: '',
  ExpiredTokenException: 'The security token included in the request is expired',
  UnrecognizedClientException: 'The security token included in the request is invalid.',
  InvalidSignatureException:
    'The request signature we calculated does not match the signature you provided. ' +
    'Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
  ProvisionedThroughputExceededException: `Rate exceeded for stream under account ${accountId}.`,
  LimitExceededException: `Rate exceeded for account ${accountId}.`,
  ThrottlingException: 'Rate exceeded',
};

/** The error of the fault `errorShare`. */
export function orderedError({ errorType, errorMessage }: FaultPlan): ApiError {
  const message = errorMessage === '' ? (messages[errorType] ?? `${errorType}, as ordered.`) : errorMessage;
  return new ApiError(errorType, message, statuses[errorType] ?? 400);
}

/** The error of the fault `denyOperations`. AWS names the stream; which one it is, is not read of a request that is denied. */
export function deniedError(operation: string): ApiError {
  const action = `kinesis:${operation}`;
  return new ApiError(
    'AccessDeniedException',
    `User: arn:aws:iam::${accountId}:user/simulated is not authorized to perform: ${action} on resource: ` +
      `arn:aws:kinesis:${region}:${accountId}:stream/* because no identity-based policy allows the ${action} action`,
  );
}

/** How far a signature's date may lie from AWS' clock, in milliseconds. */
const skewMsMax = 300_000;

/** The error of a request signed at `signedAt` (`20260102T030405Z`), where it is too far from `nowMs`. */
export function skewError(signedAt: string, nowMs: number): ApiError | undefined {
  const [date, time] = [signedAt.slice(0, 8), signedAt.slice(9)];
  const iso = `${date.replace(/(....)(..)/, '$1-$2-')}T${time.replace(/(..)(..)/, '$1:$2:')}`;
  const signedMs = Date.parse(iso);
  // Another form of date: it says nothing about the client's clock.
  if (Number.isNaN(signedMs) || Math.abs(signedMs - nowMs) <= skewMsMax) return undefined;
  const compact = (ms: number): string => new Date(ms).toISOString().replaceAll(/[-:]|\.\d+/g, '');
  const message =
    signedMs < nowMs
      ? `Signature expired: ${signedAt} is now earlier than ${compact(nowMs - skewMsMax)} (${compact(nowMs)} - 5 min.)`
      : `Signature not yet current: ${signedAt} is still later than ${compact(nowMs + skewMsMax)} (${compact(nowMs)} + 5 min.)`;
  return new ApiError('InvalidSignatureException', message);
}
