/**
 * Requests whose end two parsers may see in different places, or that hide a second one: what a proxy in front of the daemon and the
 * daemon itself must never disagree on. By name; each is written to a connection of its own, with {@link hidden} behind or inside.
 */
const path = '/v1/streams/orders/events';
const start = `POST ${path} HTTP/1.1\r\n`;
const host = 'Host: here\r\n';

/** The data of an event that nobody may take. */
export const contraband = 'SMUGGLED';

/** A whole request, as it would be hidden. */
export const hidden = `POST ${path} HTTP/1.1\r\nHost: here\r\nContent-Length: 8\r\n\r\n${contraband}`;

/** Headers as given, their own ends included; body and what follows. */
const head = (lines: string, rest: string): string => `${start}${host}${lines}\r\n${rest}`;
const length = `Content-Length: ${hidden.length}\r\n`;
const chunked = 'Transfer-Encoding: chunked\r\n';
const chunks = `3\r\none\r\n0\r\n\r\n${hidden}`;

const lengths: Readonly<Record<string, string>> = {
  'two lengths that differ': `${length}Content-Length: 3\r\n`,
  'two lengths that agree': 'Content-Length: 3\r\nContent-Length: 3\r\n',
  'a list of lengths that agree': 'Content-Length: 3, 3\r\n',
  'a list of lengths that differ': 'Content-Length: 3, 30\r\n',
  'a length with a sign': 'Content-Length: +3\r\n',
  'a negative length': 'Content-Length: -3\r\n',
  'a hexadecimal length': 'Content-Length: 0x3\r\n',
  'a length with letters behind': 'Content-Length: 3abc\r\n',
  'a length with a fraction': 'Content-Length: 3.0\r\n',
  'a length with an exponent': 'Content-Length: 3e0\r\n',
  'a length with a blank inside': 'Content-Length: 3 0\r\n',
  'an empty length': 'Content-Length:\r\n',
  'a length of blanks': 'Content-Length:    \r\n',
  'a length in quotes': 'Content-Length: "3"\r\n',
  'a length beyond 64 bits': 'Content-Length: 18446744073709551619\r\n',
  'a length with a thousands sign': 'Content-Length: 3_0\r\n',
  'a length behind a vertical tab': 'Content-Length: \v3\r\n',
  'a length with NUL behind': 'Content-Length: 3\0\r\n',
  'a length and chunks': `${length}${chunked}`,
  'chunks and a length': `${chunked}${length}`,
  'chunks and a length of 0': `${chunked}Content-Length: 0\r\n`,
  'chunks in capitals and a length': `TRANSFER-ENCODING: CHUNKED\r\n${length}`,
  'a length folded over two lines': 'Content-Length:\r\n 3\r\n',
  'a length and a folded encoding': `${length}Transfer-Encoding:\r\n chunked\r\n`,
};

const encodings: Readonly<Record<string, string>> = {
  'an encoding that is not the last': 'Transfer-Encoding: chunked, identity\r\n',
  'chunked and gzip behind it': 'Transfer-Encoding: chunked, gzip\r\n',
  'an unknown encoding': 'Transfer-Encoding: xchunked\r\n',
  'chunked with letters behind': 'Transfer-Encoding: chunkedx\r\n',
  'chunked in quotes': 'Transfer-Encoding: "chunked"\r\n',
  'chunked behind a vertical tab': 'Transfer-Encoding: \vchunked\r\n',
  'chunked with NUL behind': 'Transfer-Encoding: chunked\0\r\n',
  'chunked with a semicolon': 'Transfer-Encoding: chunked;q=1\r\n',
  'identity and a length': `Transfer-Encoding: identity\r\n${length}`,
  'an empty encoding and a length': `Transfer-Encoding:\r\n${length}`,
  'gzip and a length': `Transfer-Encoding: gzip\r\n${length}`,
  'two encodings, chunked first': 'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n',
  'two encodings, chunked twice': 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n',
  'chunked twice in a list': 'Transfer-Encoding: chunked, chunked\r\n',
  'an encoding folded over two lines': 'Transfer-Encoding: x\r\n chunked\r\n',
  'chunked in a request of HTTP/1.0': '',
};

const names: Readonly<Record<string, string>> = {
  'a blank before the colon of a length': `Content-Length : 3\r\n`,
  'a tab before the colon of a length': `Content-Length\t: 3\r\n`,
  'a blank before the colon of an encoding': 'Transfer-Encoding : chunked\r\n',
  'a line feed in a name': 'Content-\nLength: 3\r\n',
  'NUL in a name': 'Content\0-Length: 3\r\nContent-Length: 3\r\n',
  'a carriage return in a name': 'Content\r-Length: 3\r\n',
  'a name in brackets': '[Content-Length]: 3\r\nContent-Length: 3\r\n',
  'a blank before a name': ' Content-Length: 3\r\n',
  'a tab before a name': '\tContent-Length: 3\r\n',
  'a header without a colon': 'Content-Length 3\r\nContent-Length: 3\r\n',
  'an empty name': ': 3\r\nContent-Length: 3\r\n',
  'a name with a letter beyond ASCII': 'Content-L\xe9ngth: 3\r\nContent-Length: 3\r\n',
  'a folded header of another name': 'X-Note: a\r\n b\r\nContent-Length: 3\r\n',
  'a line feed alone behind a header': 'X-Note: a\nContent-Length: 3\r\n',
  'a carriage return alone behind a header': 'X-Note: a\rContent-Length: 3\r\n',
  'a second host': `Host: there\r\nContent-Length: 3\r\n`,
};

const bodies: Readonly<Record<string, string>> = {
  'a chunk size with a sign': `+3\r\none\r\n0\r\n\r\n${hidden}`,
  'a negative chunk size': `-3\r\none\r\n0\r\n\r\n${hidden}`,
  'a chunk size with 0x': `0x3\r\none\r\n0\r\n\r\n${hidden}`,
  'a chunk size behind a blank': ` 3\r\none\r\n0\r\n\r\n${hidden}`,
  'a chunk size with a blank behind': `3 \r\none\r\n0\r\n\r\n${hidden}`,
  'a chunk size with a tab behind': `3\t\r\none\r\n0\r\n\r\n${hidden}`,
  'a chunk size of other letters': `3g\r\none\r\n0\r\n\r\n${hidden}`,
  'an empty chunk size': `\r\none\r\n0\r\n\r\n${hidden}`,
  'a chunk size beyond 64 bits': `10000000000000003\r\none\r\n0\r\n\r\n${hidden}`,
  'a chunk size with a line feed alone': `3\none\r\n0\r\n\r\n${hidden}`,
  'a chunk that ends with a line feed alone': `3\r\none\n0\r\n\r\n${hidden}`,
  'a chunk longer than its size': `3\r\nonetwo\r\n0\r\n\r\n${hidden}`,
  'a chunk shorter than its size': `5\r\none\r\n0\r\n\r\n${hidden}`,
  'a chunk with a carriage return alone': `3\r\none\r0\r\n\r\n${hidden}`,
  'an extension with a line feed alone': `3;a\none\r\n0\r\n\r\n${hidden}`,
  'an extension with a carriage return alone': `3;a\rb\r\none\r\n0\r\n\r\n${hidden}`,
  'a last chunk with a line feed alone': `3\r\none\r\n0\n\r\n${hidden}`,
  'trailers with a blank before the colon': `3\r\none\r\n0\r\nX : a\r\n\r\n${hidden}`,
  'trailers that end with a line feed alone': `3\r\none\r\n0\r\nX: a\n\r\n${hidden}`,
};

const firstLines: Readonly<Record<string, string>> = {
  'a tab behind the method': `POST\t${path} HTTP/1.1\r\n`,
  'a blank before the method': ` POST ${path} HTTP/1.1\r\n`,
  'a line feed alone behind the first line': `POST ${path} HTTP/1.1\n`,
  'a carriage return alone behind the first line': `POST ${path} HTTP/1.1\r`,
  'a blank behind the version': `POST ${path} HTTP/1.1 \r\n`,
  'no version': `POST ${path}\r\n`,
  'version 1.2': `POST ${path} HTTP/1.2\r\n`,
  'version 2.0': `POST ${path} HTTP/2.0\r\n`,
  'version 0.9': `POST ${path} HTTP/0.9\r\n`,
  'version 1.10': `POST ${path} HTTP/1.10\r\n`,
  'a version in small letters': `POST ${path} http/1.1\r\n`,
  'a method in small letters': `post ${path} HTTP/1.1\r\n`,
  'a blank in the path': `POST /v1/streams/or ders/events HTTP/1.1\r\n`,
  'NUL in the path': `POST /v1/streams/orders\0/events HTTP/1.1\r\n`,
  'an absolute target': `POST http://here${path} HTTP/1.1\r\n`,
  'an absolute target of another host': `POST http://there${path} HTTP/1.1\r\n`,
  'a target without a slash': `POST v1/streams/orders/events HTTP/1.1\r\n`,
  'the preface of HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
};

const versioned = `POST ${path} HTTP/1.0\r\n${host}${chunked}\r\n${chunks}`;
const anyBody = (lines: string): string => head(lines, /content-length/i.test(lines) ? `one${hidden}` : chunks);

/** By name: the bytes of a connection. */
export const smuggling: ReadonlyMap<string, string> = new Map([
  ...Object.entries(lengths).map(([name, lines]): [string, string] => [name, anyBody(lines)]),
  ...Object.entries(encodings).map(([name, lines]): [string, string] => [
    name,
    lines === '' ? versioned : anyBody(lines),
  ]),
  ...Object.entries(names).map(([name, lines]): [string, string] => [name, anyBody(lines)]),
  ...Object.entries(bodies).map(([name, body]): [string, string] => [name, head(chunked, body)]),
  ...Object.entries(firstLines).map(([name, line]): [string, string] => [
    name,
    `${line}${host}Content-Length: 3\r\n\r\none${hidden}`,
  ]),
  ['no host', `${start}Content-Length: 3\r\n\r\none${hidden}`],
  ['an empty host and a second one', `${start}Host:\r\n${host}Content-Length: 3\r\n\r\none${hidden}`],
  [
    'another protocol with a length and chunks',
    head(`Upgrade: h2c\r\nConnection: Upgrade\r\n${length}${chunked}`, chunks),
  ],
]);

/** A whole request, what is none, and one more. */
export const mistakeBetween = `${head('Content-Length: 3\r\n', 'one')}G\x01T / HTTP/1.1\r\n${host}\r\n${hidden}`;
