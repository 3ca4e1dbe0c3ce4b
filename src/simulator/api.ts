/**
 * The Kinesis API as an application of the transports: credentials and target are checked at a request's head, the body is
 * gathered (or, in counting mode, scanned as it comes), the operation runs, and the faults in force have their say. One per
 * simulator.
 */
import { type Call, conclude, failure } from './conclusion.ts';
import { CountingSink } from './counting.ts';
import {
  createStream,
  deleteStream,
  describeStreamSummary,
  listStreams,
  updateDistribution,
  updateMaxRecordSize,
} from './describe.ts';
import {
  type Answer,
  type Application,
  type BodySink,
  collectBody,
  contentLength,
  type RequestHead,
} from './exchange.ts';
import { listShards } from './list-shards.ts';
import { type PutContext, type PutRecordRequest, type PutRecordsRequest, putRecord, putRecords } from './put.ts';
import { getRecords, getShardIterator } from './read.ts';
import { mergeShards, splitShard, updateShardCount } from './reshard.ts';
import { type Operation, operationShapes } from './shapes.ts';
import { validateRequest } from './validate.ts';
import { ApiError, answerOf, bodyTooLarge, decodeBody, type Wire, wireOf } from './wire.ts';

const targetPrefix = 'Kinesis_20131202.';

export class KinesisApi implements Application {
  readonly #context: PutContext;

  constructor(context: PutContext) {
    this.#context = context;
  }

  open(head: RequestHead): BodySink {
    const wire = wireOf(head.headers.get('content-type'));
    if (head.method !== 'POST' || wire === undefined) return discardBody(unauthorized(head));
    const target = head.headers.get('x-amz-target') ?? '';
    const name = target.startsWith(targetPrefix) ? target.slice(targetPrefix.length) : '';
    if (!Object.hasOwn(operationShapes, name)) {
      return this.#refuse(wire, new ApiError('UnknownOperationException', ''));
    }
    const missing = missingCredentials(head);
    if (missing !== undefined) return this.#refuse(wire, missing);
    return this.#openOperation(name as Operation, wire, head);
  }

  #openOperation(operation: Operation, wire: Wire, head: RequestHead): BodySink {
    const { tally, keep } = this.#context;
    const call: Call = { operation, wire, head };
    tally.count(tally.requests, operation);
    tally.wires[wire]++;
    if (!keep && operation === 'PutRecords' && wire === 'json') {
      return new CountingSink(this.#context, (exchange, run) => conclude(this.#context, exchange, call, run));
    }
    return collectBody(contentLength(head), (body, exchange) => {
      if (body !== undefined) tally.bodyBytes += body.length;
      conclude(this.#context, exchange, call, () => {
        if (body === undefined) throw bodyTooLarge();
        const request = validateRequest(operationShapes[operation], decodeBody(wire, body));
        return answerOf(wire, 200, this.#run(operation, request));
      });
    });
  }

  /** The casts hold because validateRequest has checked the request against the shape of the same name. */
  #run(operation: Operation, request: unknown): unknown {
    const { account } = this.#context;
    switch (operation) {
      case 'PutRecord':
        return putRecord(this.#context, request as PutRecordRequest);
      case 'PutRecords':
        return putRecords(this.#context, request as PutRecordsRequest);
      case 'ListShards':
        return listShards(account, request as Parameters<typeof listShards>[1]);
      case 'SplitShard':
        return splitShard(account, request as Parameters<typeof splitShard>[1]);
      case 'MergeShards':
        return mergeShards(account, request as Parameters<typeof mergeShards>[1]);
      case 'UpdateShardCount':
        return updateShardCount(account, request as Parameters<typeof updateShardCount>[1]);
      case 'UpdateStreamRecordDistributionStrategy':
        return updateDistribution(account, request as Parameters<typeof updateDistribution>[1]);
      case 'DescribeStreamSummary':
        return describeStreamSummary(account, request as Parameters<typeof describeStreamSummary>[1]);
      case 'CreateStream':
        return createStream(account, request as Parameters<typeof createStream>[1]);
      case 'UpdateMaxRecordSize':
        return updateMaxRecordSize(account, request as Parameters<typeof updateMaxRecordSize>[1]);
      case 'DeleteStream':
        return deleteStream(account, request as Parameters<typeof deleteStream>[1]);
      case 'ListStreams':
        return listStreams(account, request as Parameters<typeof listStreams>[1]);
      case 'GetShardIterator':
        return getShardIterator(account, request as Parameters<typeof getShardIterator>[1]);
      case 'GetRecords':
        return getRecords(account, request as Parameters<typeof getRecords>[1]);
    }
  }

  #refuse(wire: Wire, error: ApiError): BodySink {
    return discardBody(failure(this.#context, wire, error));
  }
}

function discardBody(answer: Answer): BodySink {
  return {
    write() {},
    end(exchange) {
      exchange.answer(answer);
    },
  };
}

/** What AWS answers to requests that are no calls of this API: XML, whatever the client speaks. */
function unauthorized(head: RequestHead): Answer {
  if (head.method === 'POST' && head.headers.has('x-amz-target')) {
    return { status: 404, contentType: 'text/xml', body: '<UnknownOperationException/>\n' };
  }
  const message = 'Unable to determine service/operation name to be authorized';
  const body = `<AccessDeniedException>\n  <Message>${message}</Message>\n</AccessDeniedException>\n`;
  return { status: 403, contentType: 'text/xml', body };
}

/** Whatever is signed with anything is welcome; a request without a well-formed Signature Version 4 is not. */
function missingCredentials(head: RequestHead): ApiError | undefined {
  const authorization = head.headers.get('authorization');
  if (authorization === undefined) {
    return new ApiError('MissingAuthenticationTokenException', 'Missing Authentication Token');
  }
  let message = '';
  for (const parameter of ['Credential', 'Signature', 'SignedHeaders']) {
    if (!new RegExp(`[ ,]${parameter}=[^, ]`).test(authorization)) {
      message += `Authorization header requires '${parameter}' parameter. `;
    }
  }
  if (!head.headers.has('x-amz-date') && !head.headers.has('date')) {
    message += "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ";
  }
  if (message === '') return undefined;
  return new ApiError('IncompleteSignatureException', `${message}Authorization=${authorization}`);
}
