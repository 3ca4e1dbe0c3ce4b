/**
 * Sends events as NDJSON over HTTP, one request at a time, and what was not taken again after `Retry-After`. Runs in the
 * sender's process; used by `spillway send --to http://…`. Keeps one request's lines.
 *
 * Of an answer it reads the status, `Retry-After`, and from a JSON body `accepted` (lines taken) and `errors[].code` (one per
 * refused line). 429 and 503 mean: the first `accepted` lines are taken, the others may be sent again.
 */
import { Agent, request } from 'node:http';
import { SpillwayError, toPlainError } from '../base/errors.ts';
import { type EventSender, type ResendRules, SendTally } from './event-sender.ts';

/** Bodies of this size keep a request's overhead small beside its bytes, and a daemon's limit far. */
const bodyBytesMax = 262_144;
const answerBytesMax = 1_048_576;
const retryAfterMsDefault = 1_000;
const newline = Buffer.from('\n');

export interface HttpSenderOptions {
  /** As in `http://127.0.0.1:7070`. */
  readonly origin: string;
  readonly stream: string;
  readonly ack: string;
}

interface Answer {
  readonly status: number;
  readonly retryAfterMs: number;
  readonly accepted: number | undefined;
  readonly codes: readonly string[];
  readonly text: string;
}

export function openHttpSender(options: HttpSenderOptions, rules: ResendRules): EventSender {
  return new HttpSender(options, rules);
}

class HttpSender implements EventSender {
  readonly tally = new SendTally();
  readonly #options: HttpSenderOptions;
  readonly #rules: ResendRules;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  #lines: Buffer[] = [];
  #bytes = 0;
  #retriesMax: number;

  constructor(options: HttpSenderOptions, rules: ResendRules) {
    this.#options = options;
    this.#rules = rules;
    this.#retriesMax = rules.retriesMax;
  }

  send(_key: string | undefined, data: Buffer): boolean {
    this.tally.events += 1;
    this.tally.bytes += data.length;
    this.#lines.push(data);
    this.#bytes += data.length + 1;
    return this.#bytes < bodyBytesMax;
  }

  async room(): Promise<void> {
    if (this.#bytes >= bodyBytesMax) await this.#deliver();
  }

  async finish(): Promise<void> {
    if (this.#lines.length > 0) await this.#deliver();
    this.#agent.destroy();
  }

  giveUp(): void {
    this.#retriesMax = 0;
  }

  destroy(): void {
    this.#agent.destroy();
  }

  async #deliver(): Promise<void> {
    let lines = this.#lines;
    this.#lines = [];
    this.#bytes = 0;
    for (let retries = 0; lines.length > 0; retries += 1) {
      const answer = await this.#post(lines).catch((error: unknown) => {
        this.tally.unknown += lines.length;
        throw error;
      });
      lines = this.#judge(lines, answer, retries);
      if (lines.length === 0) return;
      this.tally.resent += lines.length;
      await this.#rules.sleep(answer.retryAfterMs);
    }
  }

  /** Counts what an answer says; returns the lines to send again. */
  #judge(lines: Buffer[], answer: Answer, retries: number): Buffer[] {
    const { status, codes } = answer;
    const busy = status === 429 || status === 503;
    const accepted = Math.min(lines.length, answer.accepted ?? (status < 300 ? lines.length : 0));
    const rest = lines.length - accepted;
    this.tally.accepted += accepted;
    if (busy && retries < this.#retriesMax) return lines.slice(accepted);
    if (!busy && status !== 202 && status !== 200 && status !== 400 && status !== 413) {
      this.tally.refuse(`http_${status}`, rest);
      const message = `${this.#options.origin} answered ${status}: ${answer.text.slice(0, 200)}`;
      throw new SpillwayError('http_refused', message, { fields: { status } });
    }
    for (const code of codes.slice(0, rest)) this.tally.refuse(code);
    if (rest > codes.length) this.tally.refuse(codes[0] ?? `http_${status}`, rest - codes.length);
    return [];
  }

  #post(lines: readonly Buffer[]): Promise<Answer> {
    const { origin, stream, ack } = this.#options;
    const body = Buffer.concat(lines.flatMap((line) => [line, newline]));
    const url = new URL(`/v1/streams/${encodeURIComponent(stream)}/events`, origin);
    const headers = { 'content-type': 'application/x-ndjson', 'content-length': body.length, 'spillway-ack': ack };
    return new Promise((resolve, reject) => {
      const outgoing = request(url, { method: 'POST', agent: this.#agent, headers }, (incoming) => {
        const chunks: Buffer[] = [];
        let length = 0;
        incoming.on('data', (chunk: Buffer) => {
          length += chunk.length;
          if (length > answerBytesMax) incoming.destroy(new Error('the answer is longer than any of a spillway'));
          else chunks.push(chunk);
        });
        incoming.on('error', (error) => reject(unreachable(origin, error)));
        incoming.on('end', () => {
          resolve(
            readAnswer(incoming.statusCode ?? 0, incoming.headers['retry-after'], Buffer.concat(chunks).toString()),
          );
        });
      });
      outgoing.on('error', (error) => reject(unreachable(origin, error)));
      outgoing.end(body);
    });
  }
}

function readAnswer(status: number, retryAfter: string | undefined, text: string): Answer {
  let told: unknown;
  try {
    told = JSON.parse(text);
  } catch {
    // An intermediary's page: the status says enough.
  }
  const { accepted, errors, code } = (typeof told === 'object' && told !== null ? told : {}) as Record<string, unknown>;
  const codes = Array.isArray(errors) ? errors.map((error: { code?: unknown } | null) => String(error?.code)) : [];
  if (codes.length === 0 && typeof code === 'string') codes.push(code);
  const seconds = Number(retryAfter);
  const retryAfterMs = Number.isFinite(seconds) && seconds >= 0 ? seconds * 1_000 : retryAfterMsDefault;
  return { status, retryAfterMs, accepted: typeof accepted === 'number' ? accepted : undefined, codes, text };
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
