/**
 * The two encodings of the Kinesis API, JSON 1.1 and CBOR 1.1, for requests and answers; and the API's errors. Pure.
 *
 * Bytes and moments, which the encodings write differently, are the classes of values.ts.
 */
import { decodeCbor, encodeCbor } from './cbor.ts';
import type { Answer } from './exchange.ts';

export type Wire = 'json' | 'cbor';

const contentTypes: Readonly<Record<Wire, string>> = {
  json: 'application/x-amz-json-1.1',
  cbor: 'application/x-amz-cbor-1.1',
};

/** The encoding of a request by its `content-type`; parameters such as a charset are ignored. */
export function wireOf(contentType: string | undefined): Wire | undefined {
  const type = contentType?.split(';')[0]?.trim().toLowerCase();
  if (type === contentTypes.json) return 'json';
  return type === contentTypes.cbor ? 'cbor' : undefined;
}

/** A failure that the client is told: what AWS calls the exception's type, and its message. */
export class ApiError extends Error {
  readonly status: number;
  readonly type: string;
  constructor(type: string, message: string, status: number = 400) {
    super(message);
    this.name = 'ApiError';
    this.type = type;
    this.status = status;
  }
}

/** For bodies beyond `bodyBytesMax` of exchange.ts. */
export function bodyTooLarge(): ApiError {
  return new ApiError('RequestEntityTooLargeException', 'The body is too large.', 413);
}

/** Throws what AWS answers to a request that would have succeeded but for its DryRun. */
export function throwDryRun(request: { readonly DryRun?: boolean }): void {
  if (request.DryRun !== true) return;
  throw new ApiError(
    'DryRunOperationException',
    'The request was rejected because the DryRun parameter was specified.',
  );
}

/** The decoded body. Throws SerializationException when it is neither an object nor decodable. */
export function decodeBody(wire: Wire, body: Buffer): Record<string, unknown> {
  let value: unknown;
  try {
    value = wire === 'json' ? JSON.parse(body.toString('utf8')) : decodeCbor(body);
  } catch {
    throw new ApiError('SerializationException', '');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array) {
    throw new ApiError('SerializationException', '');
  }
  return value as Record<string, unknown>;
}

/** An answer that carries `value`; `undefined` is an empty body. */
export function answerOf(wire: Wire, status: number, value: unknown): Answer {
  const contentType = contentTypes[wire];
  if (value === undefined) return { status, contentType, body: '' };
  return { status, contentType, body: wire === 'json' ? JSON.stringify(value) : encodeCbor(value) };
}

/** An answer of JSON that was already written. */
export function jsonAnswer(text: string): Answer {
  return { status: 200, contentType: contentTypes.json, body: text };
}

export function errorAnswer(wire: Wire, error: ApiError): Answer {
  // AWS writes the message of this one type with a capital letter.
  const field = error.type === 'SerializationException' ? 'Message' : 'message';
  const value = error.message === '' ? { __type: error.type } : { __type: error.type, [field]: error.message };
  return answerOf(wire, error.status, value);
}
