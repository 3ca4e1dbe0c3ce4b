/**
 * Checks a decoded request against its shape, in AWS' words: a value of the wrong type is a SerializationException, values
 * outside their limits are one ValidationException that lists up to ten of them. Returns the request in the types that the
 * operations use: blobs are Buffers, timestamps Moments, members that are null or unknown are gone. Pure.
 */
import type { IntegerShape, ListShape, Shape, StringShape, StructureShape } from './shapes.ts';
import { Moment } from './values.ts';
import { ApiError } from './wire.ts';

/** AWS lists so many violations at most. */
const violationsMax = 10;
/** Larger numbers become this one, the largest that Java's Integer holds. */
const integerMax = 2 ** 31 - 1;

export function validateRequest(shape: StructureShape, value: Record<string, unknown>): Record<string, unknown> {
  const request = convertStructure(shape, value);
  const violations: string[] = [];
  checkMembers(shape, request, '', violations);
  throwViolations(violations);
  return request;
}

/** Throws the ValidationException that lists the first ten of `violations`, if there are any. */
export function throwViolations(violations: readonly string[]): void {
  if (violations.length === 0) return;
  const listed = violations.slice(0, violationsMax);
  const counted = `${listed.length} validation error${listed.length === 1 ? '' : 's'} detected: `;
  throw new ApiError('ValidationException', counted + listed.join('; '));
}

function serialization(message: string): ApiError {
  return new ApiError('SerializationException', message);
}

const javaNames = { string: 'String', integer: 'Integer', boolean: 'Boolean', blob: 'Blob' } as const;

function mismatch(shape: Shape, value: unknown): ApiError {
  if (shape.kind === 'list') {
    return serialization(
      typeof value === 'object' ? 'Start of structure or map found where not expected.' : 'Expected list or null',
    );
  }
  if (Array.isArray(value)) return serialization('Start of list found where not expected');
  if (shape.kind === 'structure') return serialization('Expected null');
  const target =
    shape.kind === 'timestamp'
      ? 'milliseconds since epoch'
      : `${shape.kind === 'blob' ? 'a' : 'an'} ${javaNames[shape.kind]}`;
  switch (typeof value) {
    case 'boolean':
      return serialization(`class java.lang.Boolean can not be converted to ${target}`);
    case 'number':
      return serialization(
        `class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be converted to ${target}`,
      );
    case 'string':
      return serialization(`class java.lang.String can not be converted to ${target}`);
    default:
      return serialization('Start of structure or map found where not expected.');
  }
}

function convert(shape: Shape, value: unknown): unknown {
  switch (shape.kind) {
    case 'string':
    case 'boolean':
      if (typeof value === shape.kind) return value;
      break;
    case 'integer':
      if (typeof value === 'number') return Math.min(Math.floor(value), integerMax);
      break;
    case 'blob':
      if (Buffer.isBuffer(value)) return value;
      if (typeof value === 'string') return convertBase64(value);
      break;
    case 'timestamp':
      if (value instanceof Moment) return value;
      if (typeof value === 'number') return new Moment(value * 1_000);
      break;
    case 'list':
      if (Array.isArray(value)) return value.map((member) => (member === null ? null : convert(shape.member, member)));
      break;
    case 'structure':
      if (typeof value === 'object' && !Array.isArray(value) && !Buffer.isBuffer(value) && value !== null) {
        return convertStructure(shape, value as Record<string, unknown>);
      }
      break;
  }
  throw mismatch(shape, value);
}

function convertStructure(shape: StructureShape, value: Record<string, unknown>): Record<string, unknown> {
  const converted: Record<string, unknown> = {};
  for (const [member, memberShape] of Object.entries(shape.members)) {
    const given = value[member];
    if (given !== null && given !== undefined) converted[member] = convert(memberShape, given);
  }
  return converted;
}

/** AWS' own words, misspelling included. */
const badLastCharacter = 'Invalid last non-pad Base64 character dectected';

/** Node's decoder skips what is no base64 and takes the URL alphabet too: both show as a wrong length or as `-` and `_`. */
function convertBase64(text: string): Buffer {
  const shown = text.length > 64 ? `${text.slice(0, 64)}...` : text;
  if (text.length % 4 !== 0) {
    throw serialization(
      `'${shown}' can not be converted to a Blob: Base64 encoded length is expected a multiple of 4 bytes but found: ${text.length}`,
    );
  }
  const bytes = Buffer.from(text, 'base64');
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  if (bytes.length !== (text.length / 4) * 3 - padding || text.includes('-') || text.includes('_')) {
    const found = /[^a-zA-Z0-9+/=]|=[^=]/.exec(text)?.[0].charAt(0);
    const wrong = found === undefined ? badLastCharacter : `Invalid Base64 character: '${found}'`;
    throw serialization(`'${shown}' can not be converted to a Blob: ${wrong}`);
  }
  // Bits of the last character that belong to no byte must be zero.
  const end = text.slice(-4);
  if (padding > 0 && Buffer.from(end, 'base64').toString('base64') !== end) {
    throw serialization(`'${shown}' can not be converted to a Blob: ${badLastCharacter}`);
  }
  return bytes;
}

const isAbsent = (value: unknown): boolean => value === undefined || value === null;

/** AWS prints member names with a small first letter. */
function printedName(member: string): string {
  return member.charAt(0).toLowerCase() + member.slice(1);
}

/** Appends what is wrong with the members of `value`, whose own path, with a dot behind it, is `parent`. */
export function checkMembers(
  shape: StructureShape,
  value: Record<string, unknown>,
  parent: string,
  violations: string[],
): void {
  for (const [member, memberShape] of Object.entries(shape.members)) {
    const { requiredUnless } = memberShape as StringShape | IntegerShape;
    const needed = requiredUnless !== undefined && isAbsent(value[requiredUnless]);
    const due: Shape = needed ? { ...memberShape, required: true } : memberShape;
    check(due, value[member], `${parent}${printedName(member)}`, violations);
  }
}

/** One line of a ValidationException. AWS prints no value (`printed` is empty) where the value may be a secret, as data may. */
function violation(printed: string, path: string, constraint: string): string {
  const value = printed === '' ? 'Value' : `Value ${printed}`;
  return `${value} at '${path}' failed to satisfy constraint: ${constraint}`;
}

/** The line about data of more than `most` bytes, which stands at `path` in the request. */
export function dataTooLong(path: string, most: number): string {
  return violation('', path, `Member must have length less than or equal to ${most}`);
}

/** Appends what is wrong with `value`, which stands at `path` in the request. */
export function check(shape: Shape, value: unknown, path: string, violations: string[]): void {
  const violate = (printed: string, constraint: string): void => {
    if (violations.length >= violationsMax) return;
    violations.push(violation(printed, path, constraint));
  };
  if (isAbsent(value)) {
    if (shape.required === true) violate('null', 'Member must not be null');
    return;
  }
  switch (shape.kind) {
    case 'string':
      return checkString(shape, value as string, violate);
    case 'integer':
      return checkInteger(shape, value as number, violate);
    case 'blob':
      if (shape.most !== undefined && (value as Buffer).length > shape.most) {
        violate('', `Member must have length less than or equal to ${shape.most}`);
      }
      return;
    case 'list':
      return checkList(shape, value as readonly unknown[], path, violations, violate);
    case 'structure':
      return checkMembers(shape, value as Record<string, unknown>, `${path}.`, violations);
    default:
  }
}

type Violate = (printed: string, constraint: string) => void;

const patterns = new Map<string, RegExp>();

function matches(pattern: string, value: string): boolean {
  let compiled = patterns.get(pattern);
  if (compiled === undefined) {
    compiled = new RegExp(`^(?:${pattern})$`);
    patterns.set(pattern, compiled);
  }
  return compiled.test(value);
}

function checkString(shape: StringShape, value: string, violate: Violate): void {
  const printed = `'${value}'`;
  if (shape.pattern !== undefined && !matches(shape.pattern, value)) {
    violate(printed, `Member must satisfy regular expression pattern: ${shape.pattern}`);
  }
  if (shape.oneOf !== undefined && !shape.oneOf.includes(value)) {
    violate(printed, `Member must satisfy enum value set: [${shape.oneOf.join(', ')}]`);
  }
  if (shape.least !== undefined && value.length < shape.least) {
    violate(printed, `Member must have length greater than or equal to ${shape.least}`);
  }
  if (shape.most !== undefined && value.length > shape.most) {
    violate(printed, `Member must have length less than or equal to ${shape.most}`);
  }
}

function checkInteger(shape: IntegerShape, value: number, violate: Violate): void {
  if (shape.least !== undefined && value < shape.least) {
    violate(`'${value}'`, `Member must have value greater than or equal to ${shape.least}`);
  }
  if (shape.most !== undefined && value > shape.most) {
    violate(`'${value}'`, `Member must have value less than or equal to ${shape.most}`);
  }
}

function checkList(
  shape: ListShape,
  value: readonly unknown[],
  path: string,
  violations: string[],
  violate: Violate,
): void {
  const printed = (): string => `'[${value.map(() => shape.printed).join(', ')}]'`;
  if (shape.least !== undefined && value.length < shape.least) {
    violate(printed(), `Member must have length greater than or equal to ${shape.least}`);
  }
  if (shape.most !== undefined && value.length > shape.most) {
    violate(printed(), `Member must have length less than or equal to ${shape.most}`);
  }
  value.forEach((member, index) => {
    if (violations.length < violationsMax) check(shape.member, member, `${path}.${index + 1}.member`, violations);
  });
}
