/**
 * What tests of the simulator talk to it with: a simulator in a process of its own, and AWS' clients in the ways in which they
 * can be set up. All of it is gone after the test.
 */
import { readFileSync } from 'node:fs';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { type GetRecordsCommandOutput, KinesisClient, type KinesisClientConfig } from '@aws-sdk/client-kinesis';
import { NodeHttp2Handler, NodeHttpHandler } from '@smithy/node-http-handler';
import type { Test } from 'tap';
import { type SimulatorProcess, startSimulator } from '../../src/simulator/process.ts';
import type { SimulatorOptions } from '../../src/simulator/simulator.ts';

process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';

/** One stream, `orders`, of three shards, unless told otherwise. */
export async function simulatorFor(t: Test, options: Partial<SimulatorOptions> = {}): Promise<SimulatorProcess> {
  const simulator = await startSimulator({ streams: [{ name: 'orders', shards: 3 }], ...options });
  t.teardown(() => simulator.stop());
  return simulator;
}

/** `default`: what the SDK does when nothing is said, a new HTTP/2 connection per request. */
export type ClientKind = 'default' | 'http1' | 'http2';

export function clientFor(
  t: Test,
  simulator: Pick<SimulatorProcess, 'url' | 'caFile'>,
  kind: ClientKind = 'http1',
  config: KinesisClientConfig = {},
): KinesisClient {
  const ca = simulator.caFile === undefined ? {} : { ca: readFileSync(simulator.caFile) };
  const agents = {
    httpAgent: new HttpAgent({ keepAlive: true }),
    httpsAgent: new HttpsAgent({ keepAlive: true, ...ca }),
  };
  const handlers = {
    default: undefined,
    http1: new NodeHttpHandler({ ...agents, requestTimeout: 30_000, throwOnRequestTimeout: true }),
    http2: new NodeHttp2Handler({ disableConcurrentStreams: false, nodeHttp2ConnectOptions: ca }),
  };
  const requestHandler = handlers[kind];
  const client = new KinesisClient({
    region: 'us-east-1',
    endpoint: simulator.url,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
    ...(requestHandler === undefined ? {} : { requestHandler }),
    ...config,
  });
  t.teardown(() => client.destroy());
  return client;
}

/** The failure of `promise`; fails the test when there is none. */
export async function failureOf(promise: Promise<unknown>): Promise<Error & { readonly $metadata?: unknown }> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('it succeeded');
}

export function dataOf({ Records = [] }: GetRecordsCommandOutput): string[] {
  return Records.map(({ Data }) => Buffer.from(Data ?? []).toString());
}
