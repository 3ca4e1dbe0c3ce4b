/**
 * What the head of a request for events asks for: the stream, the form of the body, the partition key; or why it cannot be
 * served. Main thread; pure; called by the HTTP listener before it reads a body.
 */
import { isUtf8 } from 'node:buffer';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { type Intake, refusals, Verdict } from './intake.ts';
import { charactersOf } from './json-text.ts';

/** Longest head of a request, in bytes: names, a key of 1024 bytes escaped, and what proxies add. */
export const headBytesMax = 16_384;

export type BodyForm = 'lines' | 'array' | 'frames';

/** A request that can be served. */
export interface EventsHead {
  readonly stream: number;
  readonly form: BodyForm;
  /** Partition key of all events, UTF-8, or undefined: each has its own. */
  readonly key: Buffer | undefined;
  readonly ack: 'memory' | 'disk' | 'stream';
  /** The sender wants to know where Kinesis has each event. */
  readonly receipts: boolean;
}

/** An answer before any of the body was read. */
export interface HeadRefusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

const forms: Readonly<Record<string, BodyForm>> = {
  '': 'lines',
  'application/x-ndjson': 'lines',
  'application/ndjson': 'lines',
  'text/plain': 'lines',
  // What curl says of a body when it was not told.
  'application/x-www-form-urlencoded': 'lines',
  'application/json': 'array',
  'application/vnd.spillway.frames': 'frames',
};

/** Kinesis' limit on partition keys, in Unicode characters. */
const keyCharactersMax = 256;

/**
 * What a proxy in front of the daemon might read otherwise than Node's parser, which lets it pass: where the body ends, or whose
 * the request is. Undefined: nothing. Node itself refuses the rest (test/ingress/smuggling.ts).
 */
export function ambiguityOf({ httpVersion, rawHeaders, url = '' }: IncomingMessage): string | undefined {
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return `it is HTTP/${httpVersion}`;
  if (!url.startsWith('/') && url !== '*') return 'its target does not begin with "/", and this is no proxy';
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]?.toLowerCase();
    if (name === 'host') hosts++;
    if (name !== 'transfer-encoding') continue;
    if (httpVersion === '1.0') return 'HTTP/1.0 has no Transfer-Encoding';
    if (rawHeaders[i + 1]?.toLowerCase() !== 'chunked') return 'its Transfer-Encoding is not "chunked"';
  }
  if (hosts > 1) return 'the request has more than one Host header';
  return hosts === 0 && httpVersion === '1.1' ? 'the request has no Host header' : undefined;
}

/**
 * Reads the head of `POST /v1/streams/{streamText}/events?{query}`. The key comes from `?key=`, else from the header
 * `Spillway-Partition-Key` (UTF-8). `bodyBytesMax` is held against Content-Length, where there is one. `ackDefault` is the level
 * of requests without a header `Spillway-Ack`.
 */
export function readEventsHead(
  intake: Intake,
  streamText: string,
  query: string,
  headers: IncomingHttpHeaders,
  bodyBytesMax: number,
  ackDefault: 'memory' | 'disk' | 'stream',
): EventsHead | HeadRefusal {
  const name = decodeName(streamText);
  const stream = name === undefined ? undefined : intake.streamIndex(name);
  if (stream === undefined) {
    const message = `no [[stream]] named ${JSON.stringify(name ?? streamText)} is configured`;
    return { status: 404, code: codeOf(Verdict.unknownStream), message };
  }
  const ack = headers['spillway-ack'] ?? ackDefault;
  if (ack !== 'memory' && ack !== 'disk' && ack !== 'stream') {
    const message = `Spillway-Ack: ${JSON.stringify(ack)} is no ack level; use memory, disk or stream, or leave the header out`;
    return { status: 400, code: codeOf(Verdict.ackLevel), message };
  }
  const receipt = headers['spillway-receipt'] ?? '0';
  if (receipt !== '0' && (receipt !== '1' || ack !== 'stream')) {
    const message = `Spillway-Receipt: ${JSON.stringify(receipt)} is not offered; use 1 together with Spillway-Ack: stream`;
    return { status: 400, code: codeOf(Verdict.ackLevel), message };
  }
  const form = formOf(headers);
  if (typeof form !== 'string') return form;
  if (Number(headers['content-length'] ?? 0) > bodyBytesMax) return bodyTooLarge(bodyBytesMax);
  const key = keyOf(query, headers);
  if (key !== undefined && 'status' in key) return key;
  return { stream, form, key, ack, receipts: receipt === '1' };
}

export function bodyTooLarge(bodyBytesMax: number): HeadRefusal {
  const message = `the body is larger than body_bytes_max (${bodyBytesMax} bytes); send it in parts`;
  return { status: 413, code: 'body_too_large', message };
}

function codeOf(verdict: Verdict): string {
  return refusals[verdict]?.code ?? '';
}

function decodeName(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function formOf(headers: IncomingHttpHeaders): BodyForm | HeadRefusal {
  const encoding = headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity') {
    const message = `Content-Encoding: ${JSON.stringify(encoding)} is not offered; send the body as it is`;
    return { status: 415, code: 'content_encoding', message };
  }
  const type = (headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  const form = Object.hasOwn(forms, type) ? forms[type] : undefined;
  if (form !== undefined) return form;
  const cure =
    'send application/x-ndjson (one event a line), application/json (an array) or application/vnd.spillway.frames';
  return {
    status: 415,
    code: 'content_type',
    message: `Content-Type: ${JSON.stringify(type)} is not offered; ${cure}`,
  };
}

function keyOf(query: string, headers: IncomingHttpHeaders): Buffer | undefined | HeadRefusal {
  const header = headers['spillway-partition-key'];
  // Node reads headers as latin1: the same bytes back are what was sent.
  const sent = typeof header === 'string' ? Buffer.from(header, 'latin1') : undefined;
  const asked = query === '' ? null : new URLSearchParams(query).get('key');
  const key = asked === null ? sent : Buffer.from(asked);
  if (key === undefined) return undefined;
  const verdict =
    key.length === 0
      ? Verdict.emptyKey
      : !isUtf8(key)
        ? Verdict.keyNotUtf8
        : charactersOf(key) > keyCharactersMax
          ? Verdict.keyTooLong
          : Verdict.ring;
  if (verdict === Verdict.ring) return key;
  return { status: 400, code: codeOf(verdict), message: refusals[verdict]?.message ?? '' };
}
