/** The headers that every answer carries, on both versions of HTTP: type, date, and AWS' two request identifiers. */
import { randomBytes } from 'node:crypto';

const idPrefix = randomBytes(8).toString('hex');
let requestCount = 0;
let dateText = '';
let dateSecond = -1;

/** How far the clock that answers tell is ahead: the fault `clockOffsetMs`. */
let clockOffsetMs = 0;

export function setClockOffset(offsetMs: number): void {
  clockOffsetMs = offsetMs;
}

/** Clients take the server's time from this header; it changes once a second. */
function date(): string {
  const second = Math.floor((Date.now() + clockOffsetMs) / 1_000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateText = new Date(second * 1_000).toUTCString();
  }
  return dateText;
}

/** Names and values. The identifiers are unique within the process. */
export function answerHeaders(contentType: string): readonly (readonly [string, string])[] {
  const count = (++requestCount).toString(16).padStart(12, '0');
  const id = `${idPrefix.slice(0, 8)}-${idPrefix.slice(8, 12)}-4${idPrefix.slice(12, 15)}-8000-${count}`;
  return [
    ['x-amzn-requestid', id],
    ['x-amz-id-2', `${idPrefix}${count}`],
    ['content-type', contentType],
    ['date', date()],
  ];
}
