/**
 * The SDK's protocol for Kinesis, with the way of PutRecords replaced. Lane worker only.
 *
 * `@aws-sdk/client-kinesis` keeps what it is good at: credentials, endpoint, signature, connection, modelled errors. The body,
 * its SHA-256 and the answer of PutRecords are ours: a body that was written once into the batch's memory is sent as it is
 * (2.7 ms for a megabyte instead of 9.4), and the answer is read without schema walking. Other operations go the SDK's way.
 * `@aws-sdk/core/protocols` is not a promised interface: the SDK is pinned, and test/edges fails when this stops working.
 */
import { Readable } from 'node:stream';
import { AwsJson1_1Protocol } from '@aws-sdk/core/protocols';
import { decodeCbor } from './cbor.ts';

/** A PutRecords body as the batch holds it. */
export interface PreparedBody {
  readonly body: Buffer;
  readonly sha256: string;
  readonly contentType: string;
}

/** What Kinesis says of one record: a shard and a sequence number, or an error code. */
export interface RecordAnswer {
  readonly ShardId?: string;
  readonly SequenceNumber?: string;
  readonly ErrorCode?: string | null;
  readonly ErrorMessage?: string | null;
}

export interface PutRecordsAnswer {
  readonly FailedRecordCount?: number;
  readonly Records?: readonly RecordAnswer[];
}

/** The member of a PutRecords input under which a {@link PreparedBody} travels through the SDK's middleware. */
export const prepared = Symbol('prepared body');

/** The SDK's own name for "has response metadata"; not exported where it could be imported from. */
type MetadataBearer = Awaited<ReturnType<Deserialize>>;

/**
 * Bytes that go to the socket at a time. Small slices cost turns of Node's streams, the whole body at once ciphertext in fresh
 * memory; from 64 KiB to 1 MiB the differences are within the noise (`bench/end-to-end`).
 */
const sliceBytes = 256 * 1024;

type Serialize = AwsJson1_1Protocol['serializeRequest'];
type Deserialize = AwsJson1_1Protocol['deserializeResponse'];

export class PutRecordsProtocol extends AwsJson1_1Protocol {
  override async serializeRequest(...args: Parameters<Serialize>): ReturnType<Serialize> {
    const [operation, input, context] = args;
    const request = await super.serializeRequest(operation, input, context);
    const ready = (input as { [prepared]?: PreparedBody })[prepared];
    if (ready !== undefined) {
      request.body = new Slices(ready.body);
      request.headers['content-length'] = String(ready.body.length);
      request.headers['content-type'] = ready.contentType;
      request.headers['x-amz-content-sha256'] = ready.sha256;
    }
    return request;
  }

  override async deserializeResponse<Output extends MetadataBearer>(
    operation: Parameters<Deserialize>[0],
    context: Parameters<Deserialize>[1],
    response: Parameters<Deserialize>[2],
  ): Promise<Output> {
    const contentType = response.headers['content-type'] ?? '';
    const cbor = contentType.startsWith('application/x-amz-cbor');
    if (
      !cbor &&
      ((operation as { name?: string }).name !== 'PutRecords' || this.isErrorResponse(response.statusCode))
    ) {
      return super.deserializeResponse(operation, context, response);
    }
    const bytes = await collect(response.body as AsyncIterable<Buffer>);
    const data = cbor ? decodeCbor(bytes) : JSON.parse(bytes.toString('utf8'));
    if (this.isErrorResponse(response.statusCode)) {
      await this.handleError(operation, context, response, data, this.deserializeMetadata(response));
    }
    return Object.assign(data, { $metadata: this.deserializeMetadata(response) });
  }
}

/**
 * A body as a stream of slices. Handed to TLS in one piece, megabytes of ciphertext would go through fresh memory each time; a
 * slice's buffers are reused.
 */
class Slices extends Readable {
  readonly #body: Buffer;
  #at = 0;

  constructor(body: Buffer) {
    super({ highWaterMark: sliceBytes });
    this.#body = body;
  }

  override _read(): void {
    if (this.#at === this.#body.length) {
      this.push(null);
      return;
    }
    const end = Math.min(this.#at + sliceBytes, this.#body.length);
    this.push(this.#body.subarray(this.#at, end));
    this.#at = end;
  }
}

/** Whole answers only: an answer that ends early rejects with the connection's error. */
async function collect(body: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
}
