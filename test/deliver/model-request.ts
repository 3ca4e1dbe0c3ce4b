/**
 * What the model of Kinesis is asked and what it answers with: requests read from their bodies, faults, errors by name. Test
 * processes only; pure.
 */
import { decodeAggregate } from '../../src/simulator/kpl-decoder.ts';

/** What goes wrong, each as a share of what could. All may be changed at any time. */
export interface ModelFaults {
  recordThrottled: number;
  recordFailed: number;
  /** Whole requests, before anything is stored. */
  requestFailed: number;
  /** Answers after everything was stored. */
  answerLost: number;
  /** Answers that take seconds. */
  answerLate: number;
  /** ListShards and DescribeStreamSummary, and lists with a hole. */
  surveyFailed: number;
  describeDenied: boolean;
  /** No request gets through. */
  outage: boolean;
}

export const noFaults: Readonly<ModelFaults> = {
  recordThrottled: 0,
  recordFailed: 0,
  requestFailed: 0,
  answerLost: 0,
  answerLate: 0,
  surveyFailed: 0,
  describeDenied: false,
  outage: false,
};

export interface ModelRequest {
  readonly sentMs: number;
  readonly body: Buffer;
  readonly sha256: string;
  readonly records: readonly WireRecord[];
  answeredMs: number;
  /** Its sender cannot know what became of it. */
  isAmbiguous: boolean;
}

export interface WireRecord {
  readonly data: Buffer;
  readonly partitionKey: string;
  readonly hashKey: bigint;
  readonly isAggregate: boolean;
  readonly events: readonly number[];
  readonly keys: readonly string[];
}

/** What a request has as its error: one of each action of src/deliver/outcome.ts that other requests may follow. */
export const requestErrors =
  'ECONNREFUSED InternalFailure ServiceUnavailableException TimeoutError SomethingNewException ThrottlingException LimitExceededException AccessDeniedException KMSDisabledException'.split(
    ' ',
  );

/** The request of a body, as Kinesis reads it. */
export function readRequest(body: Buffer, sha256: string, sentMs: number): ModelRequest {
  const { Records: raw } = JSON.parse(body.toString('utf8')) as {
    Records: { Data: string; PartitionKey: string; ExplicitHashKey: string }[];
  };
  const records = raw.map(({ Data, PartitionKey: partitionKey, ExplicitHashKey }): WireRecord => {
    const data = Buffer.from(Data, 'base64');
    const inside = decodeAggregate(data)?.map((event) => event as NonNullable<typeof event>);
    return {
      data,
      partitionKey,
      hashKey: BigInt(ExplicitHashKey),
      isAggregate: inside !== undefined,
      events: inside?.map((event) => eventOf(event.data)) ?? [eventOf(data)],
      keys: inside?.map((event) => event.partitionKey) ?? [partitionKey],
    };
  });
  return {
    sentMs,
    body,
    sha256,
    records,
    answeredMs: Number.POSITIVE_INFINITY,
    isAmbiguous: false,
  };
}

/** Data of an event begins with its number. */
function eventOf(data: Buffer): number {
  return Number.parseInt(data.toString('latin1', 0, 12), 10);
}

export function named(name: string): Error {
  return Object.assign(new Error(name), /^E[A-Z]+$/.test(name) ? { code: name } : { name });
}
