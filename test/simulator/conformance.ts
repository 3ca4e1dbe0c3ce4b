/**
 * What a list of conformance cases is made of, and how an answer is held against what is expected of it. The cases stand in
 * the files conformance-*.ts; conformance.test.ts asks each of our simulator and of kinesalite, which others wrote after
 * AWS' own answers.
 */
import type { Answered, Asked, Wire } from './raw.ts';

/** Stands for values that differ from run to run. */
export const aNumber = Symbol('a number');
/** Seconds in JSON, tag 1 with milliseconds in CBOR. */
export const aMoment = Symbol('a moment');

/**
 * An expected answer: literals are equal, a RegExp matches a text, a Buffer is base64 in JSON and bytes in CBOR; lists have the
 * same length and objects the same members, none missing and none besides.
 */
export type Pattern =
  | string
  | number
  | boolean
  | RegExp
  | Buffer
  | typeof aNumber
  | typeof aMoment
  | readonly Pattern[]
  | { readonly [member: string]: Pattern };

export interface Expected {
  readonly status: number;
  readonly answer: Pattern;
}

/** Where kinesalite is not like AWS today, or AWS does not say. Fails when kinesalite does answer as we do. */
export interface Difference extends Expected {
  readonly because: string;
  /** Both unless given. */
  readonly wire?: Wire;
}

/** Answers so far, by the name of their case. */
export type Told = (name: string) => Record<string, unknown>;

export interface Case extends Expected {
  readonly name: string;
  readonly asked: Asked | ((told: Told) => Asked);
  /** Both encodings unless given. */
  readonly wire?: Wire;
  readonly kinesalite?: Difference;
}

/** A request that kinesalite does not survive, which is all that is expected of it. */
export interface Deadly extends Omit<Case, 'kinesalite'> {
  readonly because: string;
}

/** What is wrong with `answered`, one line a place; nothing is wrong when there is no line. */
export function mistakesOf(expected: Expected, answered: Answered): string[] {
  const found: string[] = [];
  if (answered.status !== expected.status) found.push(`status ${answered.status} instead of ${expected.status}`);
  compare(expected.answer, answered.body, 'answer', found);
  return found;
}

function compare(pattern: Pattern, value: unknown, path: string, found: string[]): void {
  const wrong = (): void => void found.push(`${path}: ${show(value)} instead of ${show(pattern)}`);
  if (pattern instanceof RegExp) {
    if (typeof value !== 'string' || !pattern.test(value)) wrong();
  } else if (Buffer.isBuffer(pattern)) {
    const same = value instanceof Uint8Array ? pattern.equals(value) : value === pattern.toString('base64');
    if (!same) wrong();
  } else if (pattern === aNumber) {
    if (typeof value !== 'number') wrong();
  } else if (pattern === aMoment) {
    const { tag, value: milliseconds } = Object(value) as { tag?: unknown; value?: unknown };
    const seconds = tag === 1 ? Number(milliseconds) / 1_000 : value;
    if (typeof seconds !== 'number' || Math.abs(seconds - Date.now() / 1_000) > 3_600) wrong();
  } else if (Array.isArray(pattern)) {
    if (!Array.isArray(value) || value.length !== pattern.length) return wrong();
    pattern.forEach((member, index) => compare(member as Pattern, value[index], `${path}[${index}]`, found));
  } else if (typeof pattern === 'object') {
    compareMembers(pattern as Record<string, Pattern>, value, path, found);
  } else if (pattern !== value) wrong();
}

function compareMembers(pattern: Record<string, Pattern>, value: unknown, path: string, found: string[]): void {
  if (typeof value !== 'object' || value === null) {
    found.push(`${path}: ${show(value)} instead of an object`);
    return;
  }
  const members = value as Record<string, unknown>;
  for (const [name, member] of Object.entries(pattern)) {
    if (name in members) compare(member, members[name], `${path}.${name}`, found);
    else found.push(`${path}.${name} is missing`);
  }
  for (const name of Object.keys(members)) {
    if (!Object.hasOwn(pattern, name)) found.push(`${path}.${name} should not be there: ${show(members[name])}`);
  }
}

function show(value: unknown): string {
  if (value instanceof RegExp || typeof value === 'symbol') return String(value);
  const text = JSON.stringify(value) ?? 'undefined';
  return text.length > 200 ? `${text.slice(0, 200)}...` : text;
}

/** A failure with status 400; `message` undefined: it has none. */
export function fails(type: string, message?: string | RegExp): Expected {
  const field = type === 'SerializationException' ? 'Message' : 'message';
  return { status: 400, answer: message === undefined ? { __type: type } : { __type: type, [field]: message } };
}

/** A ValidationException that lists exactly these violations, given as `Value 'x' at 'y'` and what must hold. */
export function violates(...violations: readonly (readonly [where: string, must: string])[]): Expected {
  const listed = violations.map(([where, must]) => `${where} failed to satisfy constraint: Member must ${must}`);
  const counted = `${listed.length} validation error${listed.length === 1 ? '' : 's'} detected: `;
  return fails('ValidationException', counted + listed.join('; '));
}

export const passes = (answer: Pattern): Expected => ({ status: 200, answer });
export const notFound = (stream: string): Expected =>
  fails('ResourceNotFoundException', `Stream ${stream} under account 000000000000 not found.`);

/** Looks like a sequence number; no record has it. */
export const unknownNumber: string = '9'.repeat(56);
export const sequenceNumber: RegExp = /^[1-9]\d{55}$/;
