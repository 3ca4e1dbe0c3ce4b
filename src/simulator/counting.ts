/**
 * PutRecords in counting mode: checks the limits, counts, and answers as the keeping mode does, without keeping or decoding
 * anything. One sink per request; called by api.ts.
 */
import { type Answer, type BodySink, bodyBytesMax, type Exchange } from './exchange.ts';
import { checkBytes, checkHashKey, type PutContext, refusalOf } from './put.ts';
import { PutRecordsScanner, type ScannedRecord } from './scanner.ts';
import { explicitHashKeyShape, operationShapes, partitionKeyShape, recordsMax } from './shapes.ts';
import type { Stream } from './stream.ts';
import { check, checkMembers, throwViolations } from './validate.ts';
import { ApiError, bodyTooLarge, jsonAnswer, throwDryRun } from './wire.ts';

export class CountingSink implements BodySink {
  readonly #context: PutContext;
  readonly #conclude: (exchange: Exchange, run: () => Answer) => void;
  #bytes = 0;
  readonly #scanner = new PutRecordsScanner();

  constructor(context: PutContext, conclude: (exchange: Exchange, run: () => Answer) => void) {
    this.#context = context;
    this.#conclude = conclude;
  }

  write(source: Buffer, start: number, end: number): void {
    this.#context.tally.bodyBytes += end - start;
    this.#bytes += end - start;
    this.#scanner.feed(source, start, end);
  }

  end(exchange: Exchange): void {
    this.#conclude(exchange, () => this.#run());
  }

  #run(): Answer {
    const { streamName, streamArn, records, complete, dryRun } = this.#scanner;
    if (this.#bytes > bodyBytesMax) throw bodyTooLarge();
    if (!complete) throw new ApiError('SerializationException', '');
    const named = {
      ...(streamName === undefined ? {} : { StreamName: streamName }),
      ...(streamArn === undefined ? {} : { StreamARN: streamArn }),
    };
    const violations = violationsOf(records);
    checkMembers(streamMembers, named, '', violations);
    throwViolations(violations);
    const stream = this.#context.account.resolve(named);
    checkLimits(stream, records);
    throwDryRun({ DryRun: dryRun });
    return this.#place(stream, records);
  }

  /** The answer's text is put together from pieces that need no escaping. */
  #place(stream: Stream, records: readonly ScannedRecord[]): Answer {
    const { tally } = this.#context;
    const nowMs = Date.now();
    let failed = 0;
    let text = '';
    for (const record of records) {
      const partitionKey = record.partitionKey as string;
      const dataBytes = record.dataBytes as number;
      const bytes = dataBytes + Buffer.byteLength(partitionKey);
      const shard = stream.shardFor(partitionKey, record.explicitHashKey);
      const refusal = refusalOf(this.#context, shard, bytes, nowMs);
      if (text !== '') text += ',';
      if (refusal === undefined) {
        tally.acceptedRecords++;
        tally.userBytes += dataBytes;
        text += `{"SequenceNumber":"${shard.sequenceNumber(shard.take(bytes))}","ShardId":"${shard.id}"}`;
      } else {
        failed++;
        text += JSON.stringify({ ErrorCode: refusal.code, ErrorMessage: refusal.message });
      }
    }
    return jsonAnswer(`{"FailedRecordCount":${failed},"Records":[${text}],"EncryptionType":"NONE"}`);
  }
}

const streamMembers = operationShapes.DescribeStreamSummary;

function violationsOf(records: readonly ScannedRecord[]): string[] {
  const violations: string[] = [];
  if (records.length === 0 || records.length > recordsMax) {
    const bound = records.length === 0 ? 'greater than or equal to 1' : `less than or equal to ${recordsMax}`;
    violations.push(`Value at 'records' failed to satisfy constraint: Member must have length ${bound}`);
  }
  records.forEach(({ partitionKey, explicitHashKey, dataBytes }, index) => {
    const path = `records.${index + 1}.member`;
    check(partitionKeyShape, partitionKey, `${path}.partitionKey`, violations);
    check(explicitHashKeyShape, explicitHashKey, `${path}.explicitHashKey`, violations);
    if (dataBytes === undefined) {
      violations.push(`Value null at '${path}.data' failed to satisfy constraint: Member must not be null`);
    }
  });
  return violations;
}

function checkLimits(stream: Stream, records: readonly ScannedRecord[]): void {
  const sized = records.map(({ partitionKey, dataBytes }) => ({
    dataBytes: dataBytes as number,
    keyBytes: Buffer.byteLength(partitionKey as string),
  }));
  checkBytes(stream, sized);
  for (const { explicitHashKey } of records) checkHashKey(explicitHashKey);
}
