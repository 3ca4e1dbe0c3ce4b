/**
 * Posts JSON documents to a URL of the operator's. Main thread; one object per configured webhook, one request at a time, each on a
 * connection of its own.
 *
 * The URL may hold a secret in its path: messages name the host alone. Redirects are not followed, and no answer's body is read.
 */
import { lookup } from 'node:dns';
import type { ClientRequest } from 'node:http';
import type { LookupFunction } from 'node:net';
import { SpillwayError } from '../base/errors.ts';

export class Webhook {
  readonly #url: URL;
  readonly #timeoutMs: number;
  #request: ClientRequest | undefined;
  /** A look-up that hangs keeps one of the few threads that files need too: there is never a second one. */
  #isLookingUp = false;

  constructor(url: string, timeoutMs: number) {
    this.#url = new URL(url);
    this.#timeoutMs = timeoutMs;
  }

  /** Resolves when it is answered with 2xx; rejects with `alert_webhook` otherwise. */
  async post(json: string): Promise<void> {
    const { request } = this.#url.protocol === 'https:' ? await import('node:https') : await import('node:http');
    await new Promise<void>((resolve, reject) => {
      const fail = (how: string): void => {
        const message = `the webhook of [notify] at ${this.#url.host} ${how}`;
        reject(new SpillwayError('alert_webhook', message, { retryable: true }));
      };
      const outgoing = request(this.#url, {
        method: 'POST',
        agent: false,
        lookup: this.#lookup,
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(json) },
      });
      this.#request = outgoing;
      const timer = setTimeout(() => {
        fail(`did not answer within ${this.#timeoutMs} ms`);
        outgoing.destroy();
      }, this.#timeoutMs);
      outgoing.once('response', ({ statusCode = 0 }) => {
        if (statusCode >= 200 && statusCode < 300) resolve();
        else fail(`answered with status ${statusCode}`);
        outgoing.destroy();
      });
      // Also after it was destroyed.
      outgoing.on('error', (error) => fail(`cannot be reached (${codeOf(error)})`));
      outgoing.once('close', () => {
        clearTimeout(timer);
        fail('was cut off');
      });
      outgoing.end(json);
    });
  }

  /** Ends what is under way. */
  close(): void {
    this.#request?.destroy();
  }

  readonly #lookup: LookupFunction = (name, options, answer) => {
    if (this.#isLookingUp) {
      const busy = Object.assign(new Error('the look-up before is still under way'), { code: 'EAI_AGAIN' });
      return answer(busy, []);
    }
    this.#isLookingUp = true;
    lookup(name, options, (...found) => {
      this.#isLookingUp = false;
      answer(...found);
    });
  };
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}
