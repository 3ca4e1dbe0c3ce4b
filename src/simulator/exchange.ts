/**
 * The seam between transports (HTTP/1.1, HTTP/2) and what answers requests (the Kinesis API, the admin API). The simulator's
 * only thread. A transport opens a sink when a request's head has arrived, feeds it the body as it comes, and lets it answer.
 */

/** A request's first part. Header names are in lower case; `path` holds the query too. */
export interface RequestHead {
  readonly method: string;
  readonly path: string;
  readonly headers: ReadonlyMap<string, string>;
}

/** What goes back. A body that is iterable is sent piece by piece, with back-pressure and without a length. */
export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string | Buffer | Iterable<string>;
}

/** One request's way back. Exactly one of the methods is called, once; none of them throws when the client has gone. */
export interface Exchange {
  /** Returns false when the client had gone before, and so will never have the answer. */
  answer(answer: Answer): boolean;
  /** Sends the head and the first half of the body, then ends the connection (HTTP/2: the stream). */
  cut(answer: Answer): void;
  /** Ends the connection without an answer. */
  destroy(): void;
}

/** Receives one request's body. `source` may be reused after `write` returns. */
export interface BodySink {
  write(source: Buffer, start: number, end: number): void;
  end(exchange: Exchange): void;
}

export interface Application {
  open(head: RequestHead): BodySink;
}

/** Most bytes of a collected body: 10 MiB of data in base64, and 500 keys with their names and escapes. */
export const bodyBytesMax = 16 * 1024 ** 2;

/** Gathers a body into one buffer of its own, then hands it on; `undefined` when it exceeded {@link bodyBytesMax}. */
export function collectBody(
  lengthHint: number,
  done: (body: Buffer | undefined, exchange: Exchange) => void,
): BodySink {
  let body = Buffer.allocUnsafe(Math.min(lengthHint, bodyBytesMax));
  let length = 0;
  let tooLarge = lengthHint > bodyBytesMax;
  return {
    write(source, start, end) {
      const needed = length + end - start;
      if (tooLarge || needed > bodyBytesMax) {
        tooLarge = true;
        return;
      }
      if (needed > body.length) {
        const grown = Buffer.allocUnsafe(Math.min(bodyBytesMax, Math.max(needed, body.length * 2)));
        body.copy(grown, 0, 0, length);
        body = grown;
      }
      source.copy(body, length, start, end);
      length = needed;
    },
    end(exchange) {
      done(tooLarge ? undefined : body.subarray(0, length), exchange);
    },
  };
}

/** `content-length` of a request, 0 when it has none. */
export function contentLength(head: RequestHead): number {
  const length = Number(head.headers.get('content-length') ?? 0);
  return Number.isSafeInteger(length) && length >= 0 ? length : 0;
}
