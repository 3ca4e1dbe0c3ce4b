/**
 * HTTP connections of the fuzz lane: sound requests with mutants in their bodies, and requests that are mutated themselves.
 * Pure; the same index and seed give the same connection.
 */
import { type HttpAnswer, judgementOf, readAnswers } from '../ingress/http-answers.ts';
import { framesType, jsonType, post, postChunks } from '../ingress/http-harness.ts';
import { expectElements, expectFrames, expectLines } from './expected.ts';
import { damage, mutatedText } from './mutations.ts';
import {
  acceptedControls,
  controlsIn,
  frameBytes,
  type Heard,
  items,
  lineEnd,
  type Scenario,
  same,
} from './scenarios.ts';
import { type Below, pick } from './seeded.ts';

/** A body and what must become of it. */
interface Body {
  readonly bytes: Buffer;
  readonly type: string;
  readonly mutants: readonly (readonly string[])[];
  readonly expected: readonly number[];
  /** Events that must be judged; undefined where the body is broken off at a place of the daemon's choice. */
  readonly judged: number | undefined;
  /** Whether it is refused as a whole from some place on. */
  readonly broken: boolean;
}

/** One to three requests on a connection, written without waiting for answers. */
export function bodiesScenario(first: number, below: Below): Scenario {
  const bodies = Array.from({ length: 1 + below(3) }, (_, index) => anyBody(first + index * 32, below));
  const requests = bodies.map(({ bytes, type }) =>
    below(3) > 0 ? post(bytes, [type]) : postChunks(chunksOf(bytes, below), [type]),
  );
  return {
    to: 'http',
    bytes: Buffer.concat(requests),
    mutants: bodies.flatMap(({ mutants }) => mutants),
    expected: bodies.flatMap(({ expected }) => expected),
    check: (heard) => {
      const answers = readAnswers(heard, true);
      same('answers', answers.length, bodies.length);
      answers.forEach((answer, index) => checkBody(answer, bodies[index] as Body));
      return count(answers);
    },
  };
}

function checkBody(answer: HttpAnswer, { judged, broken }: Body): void {
  const { accepted = 0, refused = 0, errors = [] } = judgementOf(answer);
  if (judged !== undefined) same('judged events of a body', accepted + refused, judged);
  same('status', answer.status, broken || refused > 0 ? 400 : 202);
  if (refused > 0 && errors.length === 0) throw new Error('refusals without a cause');
}

function anyBody(first: number, below: Below): Body {
  return pick([linesBody, linesBody, arrayBody, arrayBody, framesBody], below)(first, below);
}

const mutantsOf = (all: readonly { readonly names: readonly string[] | undefined }[]): (readonly string[])[] =>
  all.flatMap(({ names }) => (names === undefined ? [] : [names]));

function linesBody(first: number, below: Below): Body {
  const all = items(first, 2 + below(8), below, () => mutatedText(below));
  const bytes = Buffer.concat(all.flatMap(({ bytes: line }) => [line, Buffer.from(lineEnd(below))]));
  const lines = expectLines(bytes);
  const type = 'content-type: application/x-ndjson';
  return { bytes, type, mutants: mutantsOf(all), expected: controlsIn(lines), judged: lines.length, broken: false };
}

function arrayBody(first: number, below: Below): Body {
  const all = items(first, 2 + below(8), below, () => mutatedText(below));
  const comma = (): string => (below(30) === 0 ? pick(['', ',,', '}', ']'], below) : pick([',', ' , ', ',\n'], below));
  const inside = all.flatMap(({ bytes }, index) => [Buffer.from(index === 0 ? '[' : comma()), bytes]);
  const bytes = Buffer.concat([...inside, Buffer.from(below(30) === 0 ? '' : ']')]);
  const elements = expectElements(bytes);
  // Behind the first mutant a body that is not JSON may be anything.
  const firstMutant = all.findIndex(({ names }) => names !== undefined);
  const sound = all.slice(0, firstMutant < 0 ? all.length : firstMutant);
  const expected =
    elements === undefined
      ? sound.slice(0, 1).map(({ id }) => id)
      : controlsIn(elements.map((element) => JSON.stringify(element)));
  return {
    bytes,
    type: jsonType,
    mutants: mutantsOf(all),
    expected,
    judged: elements?.length,
    broken: elements === undefined,
  };
}

function framesBody(first: number, below: Below): Body {
  const { bytes, starts } = frameBytes(first, below);
  const expected = expectFrames(bytes, 'orders', [0, 255]);
  const { judged, error, read } = expected;
  const looked = starts.filter(({ start }) => start <= read);
  return {
    bytes,
    type: framesType,
    mutants: looked.map(({ names }) => names),
    expected: acceptedControls(expected),
    judged: judged + (error === 'bad_frame' ? 1 : 0),
    broken: error !== undefined,
  };
}

function chunksOf(bytes: Buffer, below: Below): Buffer[] {
  const chunks: Buffer[] = [];
  for (let offset = 0; offset < bytes.length; ) {
    const length = 1 + below(pick([3, 50, 4_000], below));
    chunks.push(bytes.subarray(offset, offset + length));
    offset += length;
  }
  return chunks;
}

const lengths = [
  '-1',
  '0',
  '1',
  '00',
  '7x',
  '0x10',
  '4294967296',
  '18446744073709551616',
  '1e3',
  ' ',
  '16777217',
  '2147483648',
];
const methods = ['GET', 'PUT', 'OPTIONS', 'CONNECT', 'PRI', 'post', 'P OST', 'TRACE', 'DELETE'];
const paths = [
  '/',
  '*',
  '/v1/status',
  '/v1/streams/nowhere/events',
  '/v1/streams/%ff/events',
  `/${'p'.repeat(17_000)}`,
  '/v1/streams/orders/events?key=%00',
  'http://x/healthz',
];
const heads = [
  'expect: 100-continue',
  'expect: tea',
  'upgrade: websocket\r\nconnection: upgrade',
  'transfer-encoding: chunked',
  'transfer-encoding: gzip',
  'connection: close',
  ' folded',
  ': none',
  `x: ${'y'.repeat(17_000)}`,
  'content-encoding: br',
  'spillway-ack: disk',
  'spillway-partition-key: \u0001',
  'x\0y: z',
  'content-length: 3',
  'host: twice',
];

const texts = {
  method: (text: string, below: Below): string => text.replace(/^\w+/, pick(methods, below)),
  path: (text: string, below: Below): string => text.replace(/\/v1\S+/, () => pick(paths, below)),
  version: (text: string, below: Below): string =>
    text.replace('HTTP/1.1', pick(['HTTP/1.0', 'HTTP/2.0', 'HTTP/0.9', 'HTTP/1.9', 'http/1.1', ''], below)),
  contentLength: (text: string, below: Below): string =>
    text.replace(/(content-length: )\d+/, `$1${pick(lengths, below)}`),
  chunkLength: (text: string, below: Below): string =>
    text.replace(/\r\n[0-9a-f]+\r\n/, () => `\r\n${pick([...lengths, 'ffffffff', 'fffffffffffffffff'], below)}\r\n`),
  header: (text: string, below: Below): string => text.replace('\r\n', () => `\r\n${pick(heads, below)}\r\n`),
  lineEnds: (text: string, below: Below): string =>
    text.replaceAll('\r\n', () => (below(3) === 0 ? pick(['\n', '\r', '\r\r\n'], below) : '\r\n')),
} as const;

/** One request that is broken itself, often with a sound one behind it. */
export function requestScenario(below: Below): Scenario {
  const body = mutatedText(below);
  const sound = below(2) === 0 ? post(body.bytes) : postChunks([body.bytes, '\n']);
  const names: string[] = [];
  let text = sound.toString('latin1');
  if (below(4) > 0) {
    const name = pick(Object.keys(texts) as (keyof typeof texts)[], below);
    text = texts[name](text, below);
    names.push(name);
  }
  let bytes = Buffer.from(text, 'latin1');
  if (names.length === 0 || below(4) === 0) {
    const damaged = damage(bytes, below);
    bytes = Buffer.from(damaged.bytes);
    names.push(...damaged.names);
  }
  if (below(3) === 0) bytes = Buffer.concat([bytes, post('{"user":{"id":"m"}}')]);
  return {
    to: 'http',
    bytes,
    mutants: [names.map((name) => `request ${name}`)],
    expected: [],
    check: (heard) => checkRequest(heard, bytes),
  };
}

function checkRequest(heard: Buffer, sent: Buffer): Heard {
  const answers = readAnswers(heard, true).filter(({ status }) => status >= 200);
  const nothing = /^[\r\n]*$/.test(sent.toString('latin1'));
  if (answers.length === 0 && !nothing) throw new Error('a connection that ended without an answer');
  return count(answers);
}

/** What the answers say that the ledger must hold. */
function count(answers: readonly HttpAnswer[]): Heard {
  let received = 0;
  let refusedInAll = 0;
  const names: string[] = [];
  for (const answer of answers) {
    names.push(`http ${answer.status}`);
    if (!answer.body.startsWith('{')) continue;
    const { accepted, refused = 0, error } = judgementOf(answer);
    // An unknown stream counts as one refused event: its body is not looked at.
    const unknown = accepted === undefined && error === 'unknown_stream' ? 1 : 0;
    received += (accepted ?? 0) + refused + unknown;
    refusedInAll += refused + unknown;
    names.push(...Array<string>(accepted ?? 0).fill('ack'), ...Array<string>(refused).fill('refusal over http'));
  }
  return { received, refused: refusedInAll, answers: names };
}
