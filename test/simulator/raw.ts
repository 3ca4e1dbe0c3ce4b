/**
 * One request to a Kinesis endpoint over HTTP/1.1, of any content, in either encoding, and its answer decoded: for what AWS'
 * clients would never send. The CBOR is coded by AWS' own codec, not by ours.
 */
import { Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { cbor } from '@smithy/core/cbor';

export type Wire = 'json' | 'cbor';

export interface Asked {
  readonly operation: string;
  /** Buffers in an object become base64 in JSON; a text or a Buffer is sent as it is. */
  readonly body: object | string | Buffer;
  readonly wire?: Wire;
  readonly method?: string;
  /** Added to those of a well-formed signed request; undefined leaves one out. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
}

export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Decoded, where it is JSON or CBOR, or "undecodable: ..."; the text otherwise. Bytes are Buffers (CBOR) or base64 (JSON). */
  readonly body: unknown;
}

export type Ask = (asked: Asked) => Promise<Answered>;

const authorization =
  'AWS4-HMAC-SHA256 Credential=test/20261124/us-east-1/kinesis/aws4_request, SignedHeaders=host;x-amz-date, Signature=00ff';

/** One connection for all requests of a test: kinesalite dies of clients that go away. */
export const keepAlive = (): Agent => new Agent({ keepAlive: true, maxSockets: 1 });

export async function ask(url: string, asked: Asked, agent?: Agent): Promise<Answered> {
  const { operation, body, wire = 'json', method = 'POST', headers = {} } = asked;
  const bytes = Buffer.isBuffer(body) || typeof body === 'string' ? Buffer.from(body) : encode(wire, body);
  const all: Record<string, string | undefined> = {
    'content-type': `application/x-amz-${wire}-1.1`,
    'x-amz-target': `Kinesis_20131202.${operation}`,
    'x-amz-date': '20261124T000000Z',
    authorization,
    'content-length': String(bytes.length),
    ...headers,
  };
  const given = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  return new Promise((resolve, reject) => {
    const options = { method, headers: given, agent: agent ?? false, timeout: 20_000 };
    const sent = httpRequest(url, options, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('error', reject);
      response.on('end', () => {
        const { statusCode = 0 } = response;
        const decoded = decode(response.headers['content-type'] ?? '', Buffer.concat(pieces));
        resolve({ status: statusCode, headers: response.headers, body: decoded });
      });
    });
    sent.on('timeout', () => sent.destroy(new Error(`no answer to ${operation} within 20 s`)));
    sent.on('error', reject);
    sent.end(bytes);
  });
}

function encode(wire: Wire, body: object): Buffer {
  if (wire === 'cbor') {
    const defined = Object.entries(body).filter(([, value]) => value !== undefined);
    return Buffer.from(cbor.serialize(Object.fromEntries(defined)));
  }
  // JSON.stringify calls a Buffer's toJSON before the replacer sees it: the replacer has to look at the original.
  const text = JSON.stringify(body, function (this: Record<string, unknown>, key, value: unknown) {
    const original = this[key];
    return Buffer.isBuffer(original) ? original.toString('base64') : value;
  });
  return Buffer.from(text);
}

function decode(contentType: string, bytes: Buffer): unknown {
  if (bytes.length === 0) return '';
  if (contentType.includes('json')) return JSON.parse(bytes.toString());
  if (contentType.includes('cbor')) {
    try {
      return cbor.deserialize(bytes);
    } catch (error) {
      return `undecodable: ${String(error)}`;
    }
  }
  return bytes.toString();
}

/** Waits for a stream that was asked for: ours is there at once, kinesalite's a moment later. */
export async function whenActive(answer: Ask, { body }: Asked): Promise<void> {
  const { StreamName } = body as { StreamName: string };
  const deadline = performance.now() + 10_000;
  while (performance.now() < deadline) {
    const described = await answer({ operation: 'DescribeStreamSummary', body: { StreamName } });
    const { StreamDescriptionSummary } = described.body as { StreamDescriptionSummary?: { StreamStatus?: string } };
    if (StreamDescriptionSummary?.StreamStatus === 'ACTIVE') return;
  }
  throw new Error(`${StreamName} was not active within 10 s`);
}
