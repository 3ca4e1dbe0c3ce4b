/**
 * What the HTTP listener says of failures that are not about single events: an address that cannot be had, bytes that are no
 * HTTP, a request that takes too long or too much.
 * Main thread; pure.
 */
import { SpillwayError, toPlainError } from '../base/errors.ts';
import { headBytesMax } from './http-head.ts';

/** Status, code, message of an answer that says more than counts. */
export interface Fault {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

/** A request's time is over: `blocked`, because there was no room for its events, or because they did not come. */
export function lateFault(blocked: boolean, requestTimeoutMs: number): Fault {
  const noRoom = `the stream had no room for ${requestTimeoutMs} ms; send the rest again`;
  if (blocked) return { status: 503, code: 'saturated', message: noRoom };
  return { status: 408, code: 'request_timeout', message: `the body did not end within ${requestTimeoutMs} ms` };
}

/** A body has hardly moved for so long. */
export function stalledFault(stallMs: number): Fault {
  return { status: 408, code: 'stalled', message: `the body brought hardly anything for ${stallMs} ms` };
}

export const carryFullFault: Fault = {
  status: 503,
  code: 'carry_full',
  message: 'the unfinished events of all requests take too much memory; send smaller chunks or fewer at a time',
};

/** An answer to what is no request. */
export interface ClientFault {
  readonly status: number;
  readonly reason: string;
  readonly code: string;
  readonly message: string;
}

/** The method CONNECT asks for a proxy. */
export const connectFault: ClientFault = {
  status: 405,
  reason: 'Method Not Allowed',
  code: 'method_not_allowed',
  message: 'this is no proxy; events go to POST /v1/streams/STREAM/events',
};

/** The sender has ended its side. */
export const endedFault: ClientFault = {
  status: 400,
  reason: 'Bad Request',
  code: 'bad_http',
  message: 'no HTTP: the connection ended inside a body',
};

/** A whole answer, for a connection that has no request to answer to and is closed behind it. */
export function bareAnswer({ status, reason, code, message }: ClientFault): string {
  const body = `${JSON.stringify({ error: code, message, retryable: false })}\n`;
  const head = [
    `HTTP/1.1 ${status} ${reason}`,
    'connection: close',
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}

/** Bytes that are no HTTP, or too slow or too many for a head, in the words of an answer. */
export function clientFault(error: NodeJS.ErrnoException): ClientFault {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return {
        status: 431,
        reason: 'Request Header Fields Too Large',
        code: 'head_too_large',
        message: `the head is larger than ${headBytesMax} bytes`,
      };
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return {
        status: 408,
        reason: 'Request Timeout',
        code: 'request_timeout',
        message: 'the request did not come in time',
      };
    default:
      return { status: 400, reason: 'Bad Request', code: 'bad_http', message: `no HTTP: ${error.message}` };
  }
}

/** An error of bind or listen, with its cure. */
export function listenFailure(host: string, port: number, cause: unknown): SpillwayError {
  const { code, message } = toPlainError(cause);
  const address = `${host}:${port}`;
  const fields = { address, cause: code };
  switch (code) {
    case 'EADDRINUSE': {
      const text = `listen address ${address} is taken by another process; stop it or choose another port`;
      return new SpillwayError('address_in_use', text, { fields, cause });
    }
    case 'EACCES':
    case 'EPERM': {
      const text = `no permission to listen on ${address}; choose a port above 1023 or grant CAP_NET_BIND_SERVICE`;
      return new SpillwayError('address_no_permission', text, { fields, cause });
    }
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND': {
      const text = `listen address ${address} is not an address of this host; use 127.0.0.1, 0.0.0.0 or one of its own`;
      return new SpillwayError('address_not_here', text, { fields, cause });
    }
    default:
      return new SpillwayError('listen_failed', `cannot listen on ${address}: ${message}`, { fields, cause });
  }
}
