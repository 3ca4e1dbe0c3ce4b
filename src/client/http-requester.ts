/**
 * Requests to a daemon's HTTP listener, with what it may ask for: TLS by a given authority, a token, a client certificate. Runs in the
 * process of a sender or of `spillway top`; keeps one connection.
 */
import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';

/** How one gets in; all PEM. Only of https:// does anything but the token mean something. */
export interface HttpAccess {
  /** Authorities that are trusted instead of Node's own. */
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  readonly token?: string;
}

interface Asked {
  readonly method: string;
  readonly headers: Readonly<Record<string, string | number>>;
  readonly signal?: AbortSignal;
}

/** Longer than any answer of a daemon with a few hundred streams. */
const answerBytesMax = 4_194_304;

export class HttpRequester {
  readonly #agent: HttpAgent;
  readonly #request: typeof httpRequest;
  readonly #headers: Readonly<Record<string, string>>;

  /** `origin`: http:// or https://. Throws what OpenSSL says against certificates or keys. */
  constructor(origin: string, { token, ...tls }: HttpAccess) {
    const isTls = origin.startsWith('https://');
    const kept = { keepAlive: true, maxSockets: 1 };
    this.#agent = isTls ? new HttpsAgent({ ...kept, ...tls }) : new HttpAgent(kept);
    this.#request = isTls ? httpsRequest : httpRequest;
    this.#headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  }

  /** `onAnswer` has the head; a failure is the request's `error`. */
  request(url: URL, { headers, ...asked }: Asked, onAnswer: (incoming: IncomingMessage) => void): ClientRequest {
    return this.#request(url, { ...asked, headers: { ...headers, ...this.#headers }, agent: this.#agent }, onAnswer);
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** An answer's body. Rejects where it is longer than any of a daemon. */
export async function readText(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > answerBytesMax) throw new Error('the answer is longer than any of a spillway');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
