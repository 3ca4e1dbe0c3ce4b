/**
 * Makes the SDK's client for one stream: connections, TLS, credentials. Lane worker, and `check --live` when it is asked for, so
 * that what `check` tries is what the daemon does; the main thread of `run` never loads it (the SDK costs 150 ms and 20 MB).
 */
import { readFileSync } from 'node:fs';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { createRequire } from 'node:module';
import { createSecureContext, DEFAULT_CIPHERS, rootCertificates, type SecureContext } from 'node:tls';
import type { StreamRef } from '../batch/wire.ts';
import { systemClock } from './clock.ts';
import { type CredentialSource, type Credentials, openCredentials, providerOf } from './credentials.ts';
import { failureCause, failureFacts, failureScope } from './failure-cures.ts';
import { proxyOfEnvironment, TunnelHttpAgent, TunnelHttpsAgent } from './proxy.ts';
import { PutRecordsProtocol } from './put-protocol.ts';

// Imported, these CommonJS packages would first be read by a scanner that looks for the names they export.
const require = createRequire(import.meta.url);
const { KinesisClient } = require('@aws-sdk/client-kinesis') as typeof import('@aws-sdk/client-kinesis');
const { NodeHttpHandler } = require('@smithy/node-http-handler') as typeof import('@smithy/node-http-handler');

type NodeHandler = InstanceType<typeof NodeHttpHandler>;
type Agents = Pick<
  NonNullable<Extract<ConstructorParameters<typeof NodeHttpHandler>[0], { httpAgent?: unknown }>>,
  'httpAgent' | 'httpsAgent'
>;
type Request = Parameters<NodeHandler['handle']>[0];
/** What the client needs of a handler. */
type RequestHandler = NodeHandler | ChosenHandler;

export type Client = InstanceType<typeof KinesisClient>;

/** How to reach one stream. Plain data: it crosses the thread boundary. */
export interface KinesisTarget extends StreamRef, CredentialSource {
  readonly endpoint?: string;
  /** PEM file with certificate authorities to trust beside the usual ones. */
  readonly caFile?: string;
  /** URL of the proxy to Kinesis and to STS; absent: HTTPS_PROXY and NO_PROXY of the environment. */
  readonly proxy?: string;
  /** Stand for all that {@link CredentialSource} names: those of the simulator inside. */
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
  // A context made once: given as `ca`, the agent would join all certificates into a pool name for every request (90 us).
  const ca = target.caFile === undefined ? {} : { ca: [...rootCertificates, readFileSync(target.caFile, 'utf8')] };
  const secureContext = createSecureContext({ ciphers, ...ca });
  const credentials = target.credentials === undefined ? openCredentials(target, systemClock) : undefined;
  const client = new KinesisClient({
    region: target.region,
    ...(target.endpoint === undefined ? {} : { endpoint: target.endpoint }),
    credentials: credentials === undefined ? target.credentials : providerOf(credentials),
    maxAttempts: 1,
    logger: silent,
    protocol: new PutRecordsProtocol(protocolOptions),
    requestHandler: handlerOf(target, secureContext),
  } as NonNullable<ConstructorParameters<typeof KinesisClient>[0]>);
  if (credentials !== undefined) doubtRefused(client, credentials);
  return client;
}

/** Tells {@link Credentials} when AWS did not take them. */
function doubtRefused(client: Client, credentials: Credentials): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      try {
        return await next(args);
      } catch (error) {
        const { code, message } = failureFacts(error);
        const cause = failureCause(code, message);
        if (cause !== undefined && failureScope(cause) === 'credentials') credentials.refused();
        throw error;
      }
    },
    { step: 'initialize', name: 'doubtRefused' },
  );
}

function handlerOf(target: KinesisTarget, secureContext: SecureContext): RequestHandler {
  const { proxy, connectTimeoutMs } = target;
  const open = (agents: Agents): NodeHandler =>
    new NodeHttpHandler({
      ...agents,
      requestTimeout: target.requestTimeoutMs,
      throwOnRequestTimeout: true,
      connectionTimeout: connectTimeoutMs,
    });
  const agentOptions = { keepAlive: true, maxSockets: target.requestsInFlight, scheduling: 'lifo' as const };
  const tlsOptions = { ...agentOptions, secureContext };
  const direct = (): NodeHandler =>
    open({ httpAgent: new HttpAgent(agentOptions), httpsAgent: new HttpsAgent(tlsOptions) });
  const { https_proxy: lower, HTTPS_PROXY: upper } = process.env;
  if (proxy === undefined && !lower && !upper) return direct();
  const through = (url: string): NodeHandler => {
    const options = { url, connectTimeoutMs, secureContext };
    return open({
      httpAgent: new TunnelHttpAgent(agentOptions, options),
      httpsAgent: new TunnelHttpsAgent(tlsOptions, options),
    });
  };
  if (proxy !== undefined) return through(proxy);
  return new ChosenHandler(direct(), through, ({ protocol, hostname, port }) =>
    protocol === 'https:' ? proxyOfEnvironment(hostname, String(port ?? 443), process.env) : undefined,
  );
}

/** Goes through the proxy of the environment or past it, as its rules say of the host: Kinesis and STS may differ. */
class ChosenHandler {
  readonly metadata = { handlerProtocol: 'http/1.1' };
  readonly #direct: NodeHandler;
  readonly #through: (url: string) => NodeHandler;
  readonly #proxyOf: (request: Request) => string | undefined;
  #tunnel: NodeHandler | undefined;

  constructor(
    direct: NodeHandler,
    through: (url: string) => NodeHandler,
    proxyOf: (request: Request) => string | undefined,
  ) {
    this.#direct = direct;
    this.#through = through;
    this.#proxyOf = proxyOf;
  }

  handle(request: Request, options?: Parameters<NodeHandler['handle']>[1]): ReturnType<NodeHandler['handle']> {
    const proxy = this.#proxyOf(request);
    if (proxy === undefined) return this.#direct.handle(request, options);
    this.#tunnel ??= this.#through(proxy);
    return this.#tunnel.handle(request, options);
  }

  destroy(): void {
    this.#direct.destroy();
    this.#tunnel?.destroy();
  }

  httpHandlerConfigs(): ReturnType<NodeHandler['httpHandlerConfigs']> {
    return this.#direct.httpHandlerConfigs();
  }

  updateHttpClientConfig(): void {}
}

/** How requests name the stream: by one of the two, never by both. */
export function streamNameOf({
  streamName,
  streamArn,
}: StreamRef): { readonly StreamName: string | undefined } | { readonly StreamARN: string } {
  return streamArn === undefined ? { StreamName: streamName } : { StreamARN: streamArn };
}
