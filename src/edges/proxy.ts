/**
 * The way through an HTTP proxy: which proxy a host is reached by, and connections through it, opened with CONNECT for http:// and
 * https:// endpoints alike. Lane worker, and `check --live`; used only where a proxy is configured.
 */
import { Agent as HttpAgent, request as httpRequest, type RequestOptions } from 'node:http';
import { type AgentOptions, Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Duplex } from 'node:stream';
import type { SecureContext } from 'node:tls';

/** What Node's agents are asked to connect to. */
interface Place {
  readonly host?: string | null;
  readonly port?: number | string | null;
}

type Connected = (error: Error | null, socket?: Duplex) => void;

/** How a proxy is reached. */
export interface ProxyOptions {
  /** `http://` or `https://`, with user and password where the proxy asks for them. */
  readonly url: string;
  readonly connectTimeoutMs: number;
  readonly secureContext: SecureContext;
}

/** Plain connections through a proxy. */
export class TunnelHttpAgent extends HttpAgent {
  readonly #proxy: ProxyOptions;

  constructor(options: AgentOptions, proxy: ProxyOptions) {
    super(options);
    this.#proxy = proxy;
  }

  override createConnection(options: object, callback?: (error: Error | null, socket: Duplex) => void): undefined {
    openTunnel(this.#proxy, options, callback as Connected);
  }
}

/** TLS connections through a proxy; the proxy sees the host's name and ciphertext. */
export class TunnelHttpsAgent extends HttpsAgent {
  readonly #proxy: ProxyOptions;

  constructor(options: AgentOptions, proxy: ProxyOptions) {
    super(options);
    this.#proxy = proxy;
  }

  override createConnection(options: object, callback?: (error: Error | null, socket: Duplex) => void): undefined {
    const connected = callback as Connected;
    openTunnel(this.#proxy, options, (error, socket) => {
      if (error !== null) return connected(error);
      // Node's own way from here, with its cache of TLS sessions, over the connection that is there.
      connected(null, super.createConnection({ ...options, socket } as RequestOptions) as Duplex);
    });
  }
}

function openTunnel(proxy: ProxyOptions, { host, port }: Place, connected: Connected): void {
  const url = new URL(proxy.url);
  const name = host?.includes(':') ? `[${host}]` : host;
  const path = `${name}:${port}`;
  const user = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  const asking = (url.protocol === 'https:' ? httpsRequest : httpRequest)({
    method: 'CONNECT',
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port || (url.protocol === 'https:' ? 443 : 80),
    path,
    headers: {
      host: path,
      ...(user === ':' ? {} : { 'proxy-authorization': `Basic ${Buffer.from(user).toString('base64')}` }),
    },
    agent: false,
    secureContext: proxy.secureContext,
    timeout: proxy.connectTimeoutMs,
  } as RequestOptions);
  asking.once('connect', ({ statusCode, statusMessage }, socket) => {
    socket.setTimeout(0);
    if (statusCode === 200) return connected(null, socket);
    socket.destroy();
    connected(failure('proxy_refuses', `CONNECT ${path} is answered with ${statusCode} ${statusMessage}`));
  });
  asking.once('timeout', () => asking.destroy(new Error(`no answer to CONNECT within ${proxy.connectTimeoutMs} ms`)));
  asking.once('error', (error) => connected(failure('proxy_unreachable', `${url.host}: ${error.message}`, error)));
  asking.end();
}

function failure(code: string, message: string, cause?: Error): Error {
  return Object.assign(new Error(message, cause === undefined ? undefined : { cause }), { code });
}

/**
 * The proxy that the environment names for an https:// host: HTTPS_PROXY, unless NO_PROXY names the host, its domain, or all (`*`).
 * Never for this machine itself. An entry may end in a port; large and small letters are the same.
 */
export function proxyOfEnvironment(
  host: string,
  port: string,
  environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const proxy = environment['https_proxy'] || environment['HTTPS_PROXY'];
  const name = host.toLowerCase().replace(/^\[|\]$|\.$/g, '');
  if (!proxy || name === 'localhost' || name === '::1' || name.startsWith('127.')) return undefined;
  const except = (environment['no_proxy'] || environment['NO_PROXY'] || '').toLowerCase().split(/[\s,]+/);
  for (const entry of except) {
    const [, excepted = '', exceptedPort] = /^\*?\.?(.*?)(?::([0-9]+))?$/.exec(entry) ?? [];
    if (exceptedPort !== undefined && exceptedPort !== port) continue;
    if (entry === '*' || (excepted !== '' && (name === excepted || name.endsWith(`.${excepted}`)))) return undefined;
  }
  return proxy.includes('://') ? proxy : `http://${proxy}`;
}
