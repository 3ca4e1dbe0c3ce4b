/** The texts of HTTP/1.1: a request's head taken apart, an answer's head written. Pure, but for the date. */
import { STATUS_CODES } from 'node:http';
import type { RequestHead } from './exchange.ts';
import { answerHeaders } from './headers.ts';

/** `text` is the head without the empty line at its end; undefined when it is no HTTP/1.1 request. */
export function parseHead(text: string): RequestHead | undefined {
  const lines = text.split('\r\n');
  const request = /^([A-Z]+) (\S+) HTTP\/1\.[01]$/.exec(lines[0] ?? '');
  if (request === null) return undefined;
  const headers = new Map<string, string>();
  for (let index = 1; index < lines.length; index++) {
    const line = lines[index] as string;
    const colon = line.indexOf(':');
    if (colon <= 0) return undefined;
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  return { method: request[1] as string, path: request[2] as string, headers };
}

/** The head of an answer; `length` undefined: the body comes in chunks. */
export function headText(status: number, contentType: string, length: number | undefined, close: boolean): string {
  let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`;
  for (const [name, value] of answerHeaders(contentType)) text += `${name}: ${value}\r\n`;
  text += length === undefined ? 'transfer-encoding: chunked\r\n' : `content-length: ${length}\r\n`;
  return `${text}${close ? 'connection: close\r\n' : ''}\r\n`;
}
