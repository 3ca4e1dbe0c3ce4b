/**
 * What a failed request means for the batch in it. Lane worker; pure. (Per-record errors need no table yet: Kinesis names only
 * errors there after which the record is to be sent again.)
 */
import { toPlainError } from '../base/errors.ts';

/**
 * `again`: the destination could not take it now; the same body may be sent later. `refused`: Kinesis will never take this
 * request; the events in it are tried apart, until the guilty one stands alone.
 */
export interface Failure {
  readonly action: 'again' | 'refused';
  readonly code: string;
  readonly message: string;
}

/** Error names of the Kinesis API and of AWS' common errors that say "this request will never pass". */
const refusedNames = new Set([
  'ValidationException',
  'InvalidArgumentException',
  'SerializationException',
  'InvalidSignatureException.body',
]);

export function classifyFailure(error: unknown): Failure {
  const plain = toPlainError(error);
  const name = error instanceof Error && error.name !== 'Error' ? error.name : plain.code;
  const code = name === 'Error' ? plain.code : name;
  return { action: refusedNames.has(name) ? 'refused' : 'again', code, message: plain.message };
}

/** True for failures of the way to Kinesis or of Kinesis itself, which say something about the destination's health. */
export function blamesDestination(failure: Failure): boolean {
  return failure.action === 'again' && failure.code !== 'ProvisionedThroughputExceededException';
}
