/**
 * Makes the SDK's client for one stream: connections, TLS, credentials. Lane worker, and `check --live` when it is asked for, so
 * that what `check` tries is what the daemon does; the main thread of `run` never loads it (the SDK costs 150 ms and 20 MB).
 */
import { readFileSync } from 'node:fs';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { createRequire } from 'node:module';
import { createSecureContext, DEFAULT_CIPHERS, rootCertificates } from 'node:tls';
import type { StreamRef } from '../batch/wire.ts';
import { PutRecordsProtocol } from './put-protocol.ts';

// The SDK would warn that its later versions need a later Node; the one here is pinned, and an operator cannot act on it.
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';

// Imported, these CommonJS packages would first be read by a scanner that looks for the names they export.
const require = createRequire(import.meta.url);
const { KinesisClient } = require('@aws-sdk/client-kinesis') as typeof import('@aws-sdk/client-kinesis');
const { NodeHttpHandler } = require('@smithy/node-http-handler') as typeof import('@smithy/node-http-handler');

export type Client = InstanceType<typeof KinesisClient>;

/** How to reach one stream. Plain data: it crosses the thread boundary. */
export interface KinesisTarget extends StreamRef {
  readonly region: string;
  readonly endpoint?: string;
  /** PEM file with certificate authorities to trust beside the usual ones. */
  readonly caFile?: string;
  /** Absent: the SDK's chain (environment, profile, web identity, container, instance metadata). */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly requestsInFlight: number;
  readonly requestTimeoutMs: number;
  readonly connectTimeoutMs: number;
}

/** TLS 1.3 suites in the order that AWS' own endpoints prefer: AES-128 costs a quarter less than Node's first choice, AES-256. */
const ciphers = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  DEFAULT_CIPHERS,
].join(':');

/** Kinesis' namespace and target prefix in the service model. */
const protocolOptions = { defaultNamespace: 'com.amazonaws.kinesis', serviceTarget: 'Kinesis_20131202' };

/** The SDK would print to the console that a body which is a stream cannot be sent again; retries are ours. */
const silent = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

export function openClient(target: KinesisTarget): Client {
  const agentOptions = { keepAlive: true, maxSockets: target.requestsInFlight, scheduling: 'lifo' as const };
  // A context made once: given as `ca`, the agent would join all certificates into a pool name for every request (90 us).
  const ca = target.caFile === undefined ? {} : { ca: [...rootCertificates, readFileSync(target.caFile, 'utf8')] };
  const secureContext = createSecureContext({ ciphers, ...ca });
  return new KinesisClient({
    region: target.region,
    ...(target.endpoint === undefined ? {} : { endpoint: target.endpoint }),
    ...(target.credentials === undefined ? {} : { credentials: target.credentials }),
    maxAttempts: 1,
    logger: silent,
    protocol: new PutRecordsProtocol(protocolOptions),
    requestHandler: new NodeHttpHandler({
      httpAgent: new HttpAgent(agentOptions),
      httpsAgent: new HttpsAgent({ ...agentOptions, secureContext }),
      requestTimeout: target.requestTimeoutMs,
      throwOnRequestTimeout: true,
      connectionTimeout: target.connectTimeoutMs,
    }),
  });
}

/** How requests name the stream: by one of the two, never by both. */
export function streamNameOf({
  streamName,
  streamArn,
}: StreamRef): { readonly StreamName: string | undefined } | { readonly StreamARN: string } {
  return streamArn === undefined ? { StreamName: streamName } : { StreamARN: streamArn };
}
