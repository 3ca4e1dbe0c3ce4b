/**
 * Sends events as NDJSON over HTTP, one request at a time, and what was not taken again after `Retry-After`. Runs in the
 * sender's process; used by `spillway send --to http://…`. Keeps one request's lines.
 *
 * Of an answer it reads the status, `Retry-After`, and of its JSON (ingress/http-events.ts) `accepted`, `taken` and `errors`,
 * whose lines are those of the body: no line that is sent is empty, so line n is event n.
 */
import { SpillwayError, toPlainError } from '../base/errors.ts';
import { type EventSender, type Origin, type ResendRules, SendTally } from './event-sender.ts';
import { type HttpAccess, HttpRequester, readText } from './http-requester.ts';

/** Bodies of this size keep a request's overhead small beside its bytes, and a daemon's limit far. */
const bodyBytesMax = 262_144;
const retryAfterMsDefault = 1_000;
const newline = Buffer.from('\n');

export interface HttpSenderOptions {
  /** As in `http://127.0.0.1:7070`. */
  readonly origin: string;
  readonly access: HttpAccess;
  readonly stream: string;
  readonly ack: string;
}

interface Line {
  readonly data: Buffer;
  readonly origin: Origin;
}

/** The parts of a daemon's answer that count; all may be missing where an intermediary answered. */
interface Told {
  readonly accepted?: number;
  /** At ack level `stream`. */
  readonly onDisk?: number;
  readonly pending?: number;
  readonly rejected?: number;
  readonly undelivered?: readonly { readonly index: number; readonly count?: number; readonly error: string }[];
  /** Lines judged, where that is not all. */
  readonly taken?: number;
  readonly retryAfterMs?: number;
  readonly error?: string;
  readonly message?: string;
  readonly errors?: readonly {
    readonly line: number;
    readonly count?: number;
    readonly error: string;
    readonly message: string;
  }[];
}

interface Answer {
  readonly status: number;
  readonly retryAfterMs: number;
  readonly told: Told;
  readonly text: string;
}

/** Resolves when the daemon has answered a first request; rejects with `daemon_unreachable`. */
export async function openHttpSender(options: HttpSenderOptions, rules: ResendRules): Promise<EventSender> {
  const sender = new HttpSender(options, rules);
  await sender.open();
  return sender;
}

class HttpSender implements EventSender {
  readonly tally = new SendTally();
  readonly #options: HttpSenderOptions;
  readonly #rules: ResendRules;
  readonly #requester: HttpRequester;
  #lines: Line[] = [];
  #bytes = 0;
  #retriesMax: number;

  constructor(options: HttpSenderOptions, rules: ResendRules) {
    this.#options = options;
    this.#requester = new HttpRequester(options.origin, options.access);
    this.#rules = rules;
    this.#retriesMax = rules.retriesMax;
  }

  async open(): Promise<void> {
    await this.#ask('GET', new URL('/healthz', this.#options.origin), Buffer.alloc(0));
  }

  send(_key: string | undefined, data: Buffer, origin: Origin): boolean {
    this.tally.events += 1;
    this.tally.bytes += data.length;
    this.#lines.push({ data, origin });
    this.#bytes += data.length + 1;
    return this.#bytes < bodyBytesMax;
  }

  async room(): Promise<void> {
    if (this.#bytes >= bodyBytesMax) await this.#deliver(this.#take());
  }

  async finish(): Promise<void> {
    await this.#deliver(this.#take());
    this.#requester.close();
  }

  giveUp(): void {
    this.#retriesMax = 0;
  }

  destroy(): void {
    this.#requester.close();
  }

  #take(): Line[] {
    const lines = this.#lines;
    this.#lines = [];
    this.#bytes = 0;
    return lines;
  }

  /** Sends `lines` until each has an outcome. */
  async #deliver(all: readonly Line[]): Promise<void> {
    let lines = all;
    for (let retries = 0; lines.length > 0; retries += 1) {
      const answer = await this.#post(lines).catch((error: unknown) => {
        this.tally.unknown += lines.length;
        throw error;
      });
      const rest = this.#judge(lines, answer);
      if (answer.status === 413 && rest.length > 1) {
        // The daemon's body_bytes_max is smaller than our bodies, or one line among them is very long.
        await this.#deliver(rest.slice(0, rest.length >> 1));
        lines = rest.slice(rest.length >> 1);
        continue;
      }
      const busy = answer.status === 429 || answer.status === 503;
      if (!busy || retries >= this.#retriesMax) return this.#refuseAll(rest, answer);
      lines = rest;
      if (lines.length === 0) return;
      this.tally.resent += lines.length;
      await this.#rules.sleep(answer.retryAfterMs);
    }
  }

  /** Counts what was judged; returns the lines that were not. */
  #judge(lines: readonly Line[], { status, told, text }: Answer): readonly Line[] {
    const partly = status === 408 || status === 413 || status === 429 || status === 503;
    const isVerdict = status === 200 || status === 202 || (status === 400 && told.accepted !== undefined);
    if (!partly && !isVerdict) {
      for (const { origin } of lines) this.tally.refuse(`http_${status}`, told.message ?? '', origin);
      const message = `${this.#options.origin} answered ${status}: ${(told.message ?? text).slice(0, 200)}`;
      throw new SpillwayError('http_refused', message, { fields: { status } });
    }
    const accepted = told.accepted ?? (status <= 202 ? lines.length : 0);
    this.tally.onDisk += told.onDisk ?? 0;
    this.tally.pending += told.pending ?? 0;
    const judged = partly ? (told.taken ?? accepted) : lines.length;
    this.tally.accepted += accepted;
    this.#countRejected(lines, told);
    const refusedLines = (told.errors ?? []).flatMap(({ line, count = 1, error, message }) =>
      Array.from({ length: count }, (_, index) => ({ index: line - 1 + index, error, message })),
    );
    let left = judged - accepted;
    for (const { index, error, message } of refusedLines) {
      const line = index < judged ? lines[index] : undefined;
      if (line === undefined) continue;
      this.tally.refuse(error, message, line.origin);
      left -= 1;
    }
    // Beyond so many the daemon only counts: which lines they are is not known.
    const others = lines[judged - 1]?.origin;
    if (others !== undefined) {
      for (; left > 0; left -= 1) this.tally.refuse('others', 'refused, at this line or before it', others);
    }
    return lines.slice(judged);
  }

  /** Dead letters: the daemon has accepted them, but Kinesis will never have them. */
  #countRejected(lines: readonly Line[], { rejected = 0, undelivered = [] }: Told): void {
    this.tally.accepted -= rejected;
    let left = rejected;
    for (const { index, count = 1, error } of undelivered) {
      if (error !== 'rejected') continue;
      for (const { origin } of lines.slice(index, index + count)) {
        this.tally.refuse('rejected', 'Kinesis refuses it for good; the daemon keeps it as a dead letter', origin);
        left -= 1;
      }
    }
    const others = lines.at(-1)?.origin;
    if (others === undefined) return;
    for (; left > 0; left -= 1) this.tally.refuse('rejected', 'at this line or before it', others);
  }

  #refuseAll(lines: readonly Line[], { status, told }: Answer): void {
    for (const { origin } of lines) this.tally.refuse(told.error ?? `http_${status}`, told.message ?? '', origin);
  }

  #post(lines: readonly Line[]): Promise<Answer> {
    const { origin, stream } = this.#options;
    const body = Buffer.concat(lines.flatMap(({ data }) => [data, newline]));
    return this.#ask('POST', new URL(`/v1/streams/${encodeURIComponent(stream)}/events`, origin), body);
  }

  #ask(method: string, url: URL, body: Buffer): Promise<Answer> {
    const { origin, ack } = this.#options;
    const headers = { 'content-type': 'application/x-ndjson', 'content-length': body.length, 'spillway-ack': ack };
    return new Promise((resolve, reject) => {
      const fail = (error: unknown): void => reject(unreachable(origin, error));
      const outgoing = this.#requester.request(url, { method, headers }, (incoming) => {
        readText(incoming).then((text) => {
          resolve(readAnswer(incoming.statusCode ?? 0, incoming.headers['retry-after'], text));
        }, fail);
      });
      outgoing.on('error', fail);
      outgoing.end(body);
    });
  }
}

function readAnswer(status: number, retryAfter: string | undefined, text: string): Answer {
  let told: Told = {};
  try {
    told = (JSON.parse(text) ?? {}) as Told;
  } catch {
    // An intermediary's page: the status says enough.
  }
  const ms = told.retryAfterMs ?? Number(retryAfter) * 1_000;
  const retryAfterMs = Number.isFinite(ms) && ms >= 0 ? ms : retryAfterMsDefault;
  return { status, retryAfterMs, told, text };
}

function unreachable(origin: string, cause: unknown): SpillwayError {
  const { code, message } = toPlainError(cause);
  const cure =
    code === 'ECONNREFUSED'
      ? 'nobody listens there: is the daemon running, with a [[listen]] of kind "http"?'
      : message;
  const fields = { to: origin, cause: code };
  return new SpillwayError('daemon_unreachable', `cannot reach a daemon at ${origin}: ${cure}`, {
    retryable: true,
    fields,
    cause,
  });
}
