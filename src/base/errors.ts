/**
 * Operating failures: everything that can go wrong without a bug in spillway. Any thread; imports nothing.
 *
 * Each has a stable `code` (what logs, exit codes and the runbook refer to), says whether trying again can help, and carries
 * the facts as named fields. Across threads an error goes as {@link PlainError}: `postMessage` strips class and code.
 */

/** Facts of a failure: flat, so that they become fields of one log line. */
export type ErrorFields = Readonly<Record<string, string | number | boolean>>;

/** An error as it crosses a thread boundary or enters a log line. */
export interface PlainError {
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
  readonly fields: ErrorFields;
}

/** An operating failure with a stable code. `message` names the field, the value and the cure. */
export class SpillwayError extends Error {
  readonly code: string;
  readonly retryable: boolean;
  readonly fields: ErrorFields;

  constructor(
    code: string,
    message: string,
    options: { readonly retryable?: boolean; readonly fields?: ErrorFields; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'SpillwayError';
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.fields = options.fields ?? {};
  }
}

/** Any thrown value as a plain object; the code of a foreign error is kept where it has one. */
export function toPlainError(error: unknown): PlainError {
  if (error instanceof SpillwayError) {
    return { code: error.code, message: error.message, retryable: error.retryable, fields: error.fields };
  }
  if (error instanceof Error) {
    const code = (error as { code?: unknown }).code;
    return { code: typeof code === 'string' ? code : error.name, message: error.message, retryable: false, fields: {} };
  }
  return { code: 'unknown', message: String(error), retryable: false, fields: {} };
}
