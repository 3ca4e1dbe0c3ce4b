/**
 * A server that answers as AWS answers where something is wrong: error bodies, clocks and certificates that the simulator does not
 * have. Started by tests that ask `check --live` or the daemon's client about them; ended by the test's teardown.
 */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';

/** Name of the operation ("PutRecords") -> what is answered, or undefined for the ordinary answer. */
export type Answers = (operation: string, headers: IncomingHttpHeaders) => AwsAnswer | undefined;

/** `type`: an exception, with status 400 unless given. Without: `body` as it is. */
export interface AwsAnswer {
  readonly type?: string;
  readonly message?: string;
  readonly status?: number;
  readonly body?: string;
}

export interface AnsweringServer {
  readonly url: string;
  /** Operations in the order in which they were asked. */
  readonly asked: readonly string[];
}

export interface ServerOptions {
  readonly host?: string;
  readonly tls?: { readonly key: string; readonly cert: string };
  /** How far the server's clock is ahead of this machine's. */
  readonly clockAheadMs?: number;
  /** Members of the stream's summary that differ from the ordinary. */
  readonly summary?: object;
}

const arn = 'arn:aws:kinesis:us-east-1:123456789012:stream/orders';

const ordinarySummary = {
  StreamName: 'orders',
  StreamARN: arn,
  StreamStatus: 'ACTIVE',
  StreamModeDetails: { StreamMode: 'ON_DEMAND' },
  RetentionPeriodHours: 24,
  StreamCreationTimestamp: 1_700_000_000,
  EnhancedMonitoring: [],
  EncryptionType: 'NONE',
  OpenShardCount: 1,
  ConsumerCount: 0,
  MaxRecordSizeInKiB: 1024,
  RecordDistributionStrategy: 'USER_PARTITION_KEY',
};

const oneShard = {
  ShardId: 'shardId-000000000000',
  HashKeyRange: { StartingHashKey: '0', EndingHashKey: String(2n ** 128n - 1n) },
  SequenceNumberRange: { StartingSequenceNumber: '1' },
};

export async function startAnsweringServer(
  t: { teardown(end: () => Promise<void>): void },
  answers: Answers = () => undefined,
  { host = '127.0.0.1', tls, clockAheadMs = 0, summary = {} }: ServerOptions = {},
): Promise<AnsweringServer> {
  const asked: string[] = [];
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    const operation = String(request.headers['x-amz-target']).replace('Kinesis_20131202.', '');
    asked.push(operation);
    request.resume().on('end', () => {
      const answer = answers(operation, request.headers) ?? ordinaryAnswer(operation, summary);
      response.sendDate = false;
      response.setHeader('date', new Date(Date.now() + clockAheadMs).toUTCString());
      response.setHeader('content-type', answer.type === undefined ? 'text/html' : 'application/x-amz-json-1.1');
      response.statusCode = answer.status ?? (answer.type === undefined ? 200 : 400);
      response.end(answer.body ?? JSON.stringify({ __type: answer.type, message: answer.message }));
    });
  };
  const server = tls === undefined ? createServer(handle) : createTlsServer(tls, handle);
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  t.teardown(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  return { url: `${tls === undefined ? 'http' : 'https'}://${host}:${port}`, asked };
}

function ordinaryAnswer(operation: string, summary: object): AwsAnswer {
  switch (operation) {
    case 'DescribeStreamSummary':
      return { body: JSON.stringify({ StreamDescriptionSummary: { ...ordinarySummary, ...summary } }) };
    case 'ListShards':
      return { body: JSON.stringify({ Shards: [oneShard] }) };
    default:
      return { type: 'DryRunOperationException', message: 'The request would have succeeded.' };
  }
}
