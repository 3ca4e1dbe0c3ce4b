/**
 * The page of `/metrics`, and how often it is made. Main thread; asked by the HTTP listener.
 *
 * Making it costs milliseconds, and it may be megabytes long: whoever asks within {@link freshMs} gets the same page, so scrapers in
 * a loop cost no more than one of them, and at most {@link unreadMax} answers wait for scrapers that do not read.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { expositionType } from '../observe/exposition.ts';

/** How old a page may be. */
export const freshMs = 1_000;
/** Scrapes whose answer is under way at one time. */
export const unreadMax = 8;

/** What is answered: the page, or why not. */
export interface Scrape {
  readonly status: number;
  readonly body: object;
  readonly headers: Readonly<Record<string, string>>;
}

export class Scrapes {
  readonly #render: () => string;
  readonly #nowMs: () => number;
  #page: Buffer | undefined;
  #madeMs = 0;
  #unread = 0;

  constructor(render: () => string, nowMs: () => number) {
    this.#render = render;
    this.#nowMs = nowMs;
  }

  /** The page for `response`, which has to be ended with it. */
  answer(request: IncomingMessage, response: ServerResponse): Scrape {
    if (this.#unread === unreadMax) {
      const message = `${unreadMax} scrapes have not read their answers; try again, or find who they are`;
      const body = { error: 'too_many_scrapes', message, retryable: true };
      return { status: 503, body, headers: { 'retry-after': '1' } };
    }
    this.#await(request, response);
    const nowMs = this.#nowMs();
    if (this.#page === undefined || nowMs - this.#madeMs >= freshMs) {
      this.#page = Buffer.from(this.#render());
      this.#madeMs = nowMs;
    }
    return { status: 200, body: this.#page, headers: { 'content-type': expositionType } };
  }

  /** Counts an answer until it is out, or its connection is gone: an answer behind others may never have one of its own. */
  #await({ socket }: IncomingMessage, response: ServerResponse): void {
    this.#unread++;
    const settled = (): void => {
      response.off('close', settled);
      socket.off('close', settled);
      this.#unread--;
    };
    response.once('close', settled);
    socket.once('close', settled);
  }
}
