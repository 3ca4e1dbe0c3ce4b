/**
 * Reads HTTP answers from the bytes of a connection, strictly enough to notice when a daemon says something that is none. For
 * tests that write their requests byte by byte, which no HTTP client would.
 */

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What an answer of the daemon may say in its body. */
export interface Judgement {
  readonly accepted?: number;
  readonly refused?: number;
  readonly spilled?: number;
  readonly taken?: number;
  readonly nextLine?: number;
  readonly error?: string;
  readonly message?: string;
  readonly retryable?: boolean;
  readonly errors?: readonly { line?: number; index?: number; error: string; message: string; count?: number }[];
}

const headEnd = '\r\n\r\n';

/**
 * All whole answers in `bytes`. `withoutBody` has the indices of those that answer HEAD. Throws on bytes that are no answer;
 * an unfinished last one is left out, unless `ended`: then it throws.
 */
export function readAnswers(bytes: Buffer, ended = false, withoutBody: readonly number[] = []): HttpAnswer[] {
  const text = bytes.toString('latin1');
  const answers: HttpAnswer[] = [];
  let offset = 0;
  while (offset < text.length) {
    const bodyStart = text.indexOf(headEnd, offset) + headEnd.length;
    if (bodyStart < headEnd.length) break;
    const [first = '', ...lines] = text.slice(offset, bodyStart - headEnd.length).split('\r\n');
    const status = /^HTTP\/1\.1 (\d{3}) [\w ]*$/.exec(first)?.[1];
    if (status === undefined) throw new Error(`no status line: ${JSON.stringify(first)}`);
    const headers = Object.fromEntries(lines.map(readHeader));
    const hasBody = Number(status) >= 200 && !withoutBody.includes(answers.length);
    const body = hasBody ? readBody(text, bodyStart, headers, ended) : { text: '', end: bodyStart };
    if (body === undefined) break;
    answers.push({ status: Number(status), headers, body: Buffer.from(body.text, 'latin1').toString() });
    offset = body.end;
  }
  if (ended && offset < text.length) throw new Error(`the connection ended inside an answer: ${text.slice(offset)}`);
  return answers;
}

export function judgementOf(answer: HttpAnswer | undefined): Judgement {
  return JSON.parse(answer?.body ?? '') as Judgement;
}

function readHeader(line: string): [string, string] {
  const colon = line.indexOf(':');
  if (colon < 1) throw new Error(`no header: ${JSON.stringify(line)}`);
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
}

function readBody(
  text: string,
  start: number,
  headers: Readonly<Record<string, string>>,
  ended: boolean,
): { text: string; end: number } | undefined {
  if (headers['transfer-encoding'] === 'chunked') return readChunks(text, start);
  const length = headers['content-length'];
  if (length === undefined) return ended ? { text: text.slice(start), end: text.length } : undefined;
  const end = start + Number(length);
  return end > text.length ? undefined : { text: text.slice(start, end), end };
}

function readChunks(text: string, start: number): { text: string; end: number } | undefined {
  let body = '';
  for (let offset = start; ; ) {
    const lineEnd = text.indexOf('\r\n', offset);
    const length = Number.parseInt(text.slice(offset, lineEnd), 16);
    if (lineEnd < 0 || lineEnd + 4 + length > text.length) return undefined;
    body += text.slice(lineEnd + 2, lineEnd + 2 + length);
    offset = lineEnd + 4 + length;
    if (length === 0) return { text: body, end: offset };
  }
}
