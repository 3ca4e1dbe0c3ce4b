/**
 * The key finder against JSON.parse: the same keys in valid text, and never a key out of text that is not JSON so far.
 *
 * Long because its documents, their damage and the judge belong together.
 */
import { randomInt } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { compileKeyPath, KeyFinder, KeyStatus } from '../../src/ingress/json-key.ts';
import { createArena } from '../../src/ring/arena.ts';

const seed = Number(process.env['SEED'] ?? randomInt(2 ** 31));
const arena = createArena(1 << 20);
const scratchOffset = 1 << 19;

/** Looks for `path` in `text`; the text lies between other JSON text, which must never be read. */
function find(path: string, text: string | Buffer): { status: KeyStatus; key: string | undefined } {
  const finder = new KeyFinder(arena.bytes, scratchOffset, compileKeyPath(path));
  const bytes = Buffer.from(text);
  arena.bytes.fill(0x7d, 0, 1000 + bytes.length + 64);
  arena.bytes.set(bytes, 1000);
  const status = finder.find(1000, 1000 + bytes.length);
  if (status !== KeyStatus.found) return { status, key: undefined };
  return { status, key: arena.buffer.toString('utf8', finder.keyOffset, finder.keyOffset + finder.keyLength) };
}

/** What the path leads to, as the finder should say it: numbers by their text, so `raw` values are compared as numbers. */
function lookUp(value: unknown, names: readonly string[]): string | number | undefined {
  for (const name of names) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    if (!Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return typeof value === 'string' || typeof value === 'number' ? value : undefined;
}

function sameKey(expected: string | number, key: string): boolean {
  return typeof expected === 'number' ? Object.is(Number(key), expected) : Buffer.from(expected).toString() === key;
}

/** JSON text of a value with the white space and the escapes that `dice` order. */
function write(value: unknown, dice: () => number): string {
  const space = (): string => [' ', '\t', '\r\n', '', '', '', '', ''][dice() % 8] as string;
  const escape = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  const character = (point: string): string =>
    dice() % 6 === 0 ? point.split('').map(escape).join('') : JSON.stringify(point).slice(1, -1);
  const text = (plain: string): string => `"${[...plain].map(character).join('')}"`;
  const go = (each: unknown): string => {
    if (typeof each === 'string') return space() + text(each) + space();
    if (Array.isArray(each)) return `${space()}[${each.map(go).join(',') || space()}]${space()}`;
    if (typeof each !== 'object' || each === null) return space() + JSON.stringify(each) + space();
    const members = Object.entries(each).map(([name, member]) => `${space()}${text(name)}${space()}:${go(member)}`);
    return `${space()}{${members.join(',') || space()}}${space()}`;
  };
  return go(value);
}

const names = ['user', 'id', 'a', 'a.b', 'é', '""', 'a\\', '😀', 'user.id', '\n\n', '__proto__', 'use', 'users'];
/** JSON.parse of V8 13.6 (Node 24) may read a name of one escaped character as another one: those have a test of their own. */
const isOneEscape = (each: string): boolean => each.length === 1 && JSON.stringify(each).length > 3;
const name = fc
  .oneof({ weight: 4, arbitrary: fc.constantFrom(...names) }, fc.string({ unit: 'grapheme', maxLength: 5 }))
  .filter((each) => !isOneEscape(each));
const { value: anyValue } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.oneof(fc.string({ unit: 'grapheme' }), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer()),
    fc.constantFrom(null, true, false, '', 0, -0, 1e300, 'x'.repeat(40), '\ud83d\ude00', 'tab\there'),
    fc.array(tie('value'), { maxLength: 4 }),
    tie('object'),
  ),
  object: fc
    .uniqueArray(fc.tuple(name, tie('value')), { selector: ([each]) => each, maxLength: 6 })
    .map((entries) => Object.fromEntries(entries)),
}));
const document = fc.oneof(
  fc.uniqueArray(fc.tuple(name, anyValue), { selector: ([each]) => each, maxLength: 6 }).map(Object.fromEntries),
  fc.record({ user: fc.record({ id: anyValue, a: anyValue }), a: anyValue }),
);
const path = fc.array(
  name.filter((each) => each !== ''),
  { minLength: 1, maxLength: 3 },
);
const dice = fc.infiniteStream(fc.nat());

/** Makes the path exist in `text`; as own properties, since one of the names is `__proto__`. */
function plantAt(text: object, way: readonly string[]): void {
  let at = text;
  for (const [index, each] of way.entries()) {
    const last = index === way.length - 1;
    const old: unknown = Object.getOwnPropertyDescriptor(at, each)?.value;
    const keep = last ? typeof old === 'string' : typeof old === 'object' && old !== null && !Array.isArray(old);
    const value = keep ? old : last ? 'planted' : {};
    Object.defineProperty(at, each, { value, enumerable: true, writable: true, configurable: true });
    at = value as object;
  }
}

/** The path's text, and a document in which it exists more often than not. */
const question = fc.tuple(path, document, dice, fc.boolean()).map(([way, found, stream, plant]) => {
  if (plant) plantAt(found, way);
  const text = write(found, () => stream.next().value as number);
  return { way, text, field: way.map((each) => each.replace(/[\\.]/g, '\\$&')).join('.') };
});

t.test('in valid JSON the finder and JSON.parse give the same key', async (t) => {
  t.comment(`seed ${seed}`);
  let foundCount = 0;
  fc.assert(
    fc.property(question, ({ way, text, field }) => {
      const expected = lookUp(JSON.parse(text), way);
      const { status, key } = find(field, text);
      if (expected === undefined) return status === KeyStatus.missing;
      foundCount++;
      return status === KeyStatus.found && sameKey(expected, key as string);
    }),
    { seed, numRuns: 5_000 },
  );
  t.ok(foundCount > 1_000, 'keys were found in many of them');
});

t.test('names of one escaped character are found', async (t) => {
  for (const each of ['"', '\\', '\n', '\t', '\u0001']) {
    const text = `{"a":0,${JSON.stringify(each)}:{"b":"key"},"c":1}`;
    t.match(
      find(`${each.replace('\\', '\\\\')}.b`, text),
      { status: KeyStatus.found, key: 'key' },
      JSON.stringify(each),
    );
    t.match(find('a.b', text), { status: KeyStatus.missing });
  }
});

const damage = fc.tuple(fc.nat(), fc.constantFrom('cut', 'drop', 'put'), fc.constantFrom(...'{}[],:"\\0-.eut \u0001x'));

t.test(
  'damaged JSON gives a key only when what precedes it is JSON, and is called malformed only when it is',
  async (t) => {
    t.comment(`seed ${seed}`);
    const seen = new Map<KeyStatus, number>();
    fc.assert(
      fc.property(question, damage, ({ way, text, field }, [at, how, character]) => {
        const index = at % (text.length + 1);
        const rest = how === 'cut' ? '' : how === 'drop' ? text.slice(index + 1) : character + text.slice(index);
        const damaged = text.slice(0, index) + rest;
        const { status, key } = find(field, damaged);
        seen.set(status, (seen.get(status) ?? 0) + 1);
        if (status === KeyStatus.found) {
          for (let length = 1; length <= damaged.length; length++) {
            const expected = lookUp(parsed(damaged.slice(0, length) + '}'.repeat(way.length)), way);
            if (expected !== undefined && sameKey(expected, key as string)) return true;
          }
          return false;
        }
        const whole = parsed(damaged);
        if (whole === undefined) return true;
        if (status === KeyStatus.malformed) return false;
        if (status === KeyStatus.notObject) return typeof whole !== 'object' || whole === null || Array.isArray(whole);
        const last = JSON.stringify(way.at(-1));
        return lookUp(whole, way) === undefined || damaged.split(last).length > 2 || damaged.includes('\\u');
      }),
      { seed, numRuns: 5_000 },
    );
    t.ok((seen.get(KeyStatus.found) ?? 0) > 200, 'keys were found before the damage');
    t.ok((seen.get(KeyStatus.malformed) ?? 0) > 200, 'damage was met before the key');
  },
);

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

t.test('of a name that occurs twice the first wins', async (t) => {
  t.equal(find('id', '{"id":"first","id":"last"}').key, 'first');
  t.equal(find('user.id', '{"user":{"id":"first","id":2},"user":{"id":3}}').key, 'first');
  t.equal(find('user.id', '{"user":{},"user":{"id":3}}').status, KeyStatus.missing);
});

t.test('a number is given as it is written', async (t) => {
  for (const number of ['0', '-0', '12', '1.50', '-1e+10', '2E-3', '123456789012345678901234567890']) {
    t.equal(find('id', `{"id":${number}}`).key, number);
    t.equal(find('id', `{"id": ${number}\n,"x":1}`).key, number);
  }
  for (const number of ['01', '1.', '.5', '1e', '+1', '-', '1x', '0x1', '1e+', 'NaN']) {
    t.equal(find('id', `{"id":${number}}`).status, KeyStatus.malformed, number);
  }
});

t.test('a number that the text ends behind may be longer, and is malformed', async (t) => {
  t.equal(find('id', '{"id":12').status, KeyStatus.malformed);
});

t.test('null, booleans, arrays, objects and paths through them are missing', async (t) => {
  for (const value of ['null', 'true', 'false', '[1]', '{"id":"deeper"}']) {
    t.equal(find('id', `{"id":${value}}`).status, KeyStatus.missing, value);
  }
  for (const value of ['null', '"id"', '[{"id":1}]', '7']) {
    t.equal(find('user.id', `{"user":${value}}`).status, KeyStatus.missing, value);
  }
});

t.test('text that is no object is told apart', async (t) => {
  for (const text of ['', ' ', '[]', '"id"', '7', 'hello', 'null']) {
    t.equal(find('id', text).status, KeyStatus.notObject, JSON.stringify(text));
  }
});

t.test('what stands behind the key is not looked at', async (t) => {
  t.equal(find('id', '{"id":"k" garbage').key, 'k');
});

t.test('an empty string is found, with length 0', async (t) => {
  t.equal(find('id', '{"id":""}').key, '');
});

t.test('escapes in keys and names are undone, lone surrogates become U+FFFD', async (t) => {
  t.equal(find('id', '{"id":"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\uDE00"}').key, '"\\/\b\f\n\r\té😀');
  t.equal(find('id', '{"id":"\\ud83dx\\ude00\\ud83d\\ud83d\\ude00"}').key, '\ufffdx\ufffd\ufffd😀');
  t.equal(find('user.id', '{"\\u0075ser":{"i\\u0064":"k"}}').key, 'k');
  t.equal(find('a\\.b', '{"a":{"b":1},"a\\u002eb":"dotted"}').key, 'dotted');
  for (const escape of ['\\x', '\\u12', '\\u12g4', '\\u00:0', '\\']) {
    t.equal(find('id', `{"id":"${escape}"}`).status, KeyStatus.malformed, escape);
  }
});

t.test('a key that is not UTF-8 is told apart, as Kinesis would refuse the whole batch', async (t) => {
  const wrong = ['80', 'c0af', 'c3', 'c328', 'e08080', 'eda080', 'f08080aa', 'f5808080', 'f4908080', 'e282', 'ff'];
  for (const hex of wrong) {
    for (const escape of ['', '\\n']) {
      const text = Buffer.concat([Buffer.from(`{"id":"${escape}`), Buffer.from(hex, 'hex'), Buffer.from('"}')]);
      t.equal(find('id', text).status, KeyStatus.notUtf8, hex + escape);
    }
  }
  t.equal(find('id', '{"id":"aé€😀\ud7ff\ue000\u{10ffff}"}').key, 'aé€😀\ud7ff\ue000\u{10ffff}');
});

t.test('nesting is followed to depth 64 and called malformed beyond', async (t) => {
  const nested = (depth: number): string => `{"x":${'['.repeat(depth)}${']'.repeat(depth)},"id":"k"}`;
  t.equal(find('id', nested(63)).key, 'k');
  t.equal(find('id', nested(64)).status, KeyStatus.malformed);
  t.equal(find('id', `{"x":${'{"x":'.repeat(100_000)}`).status, KeyStatus.malformed);
});

t.test('a key with escapes that outgrows the scratch stays within it and stays too long', async (t) => {
  for (const unit of ['\\n', '\\u20ac', '\\ud83d\\ude00']) {
    arena.bytes.fill(0xaa, scratchOffset, scratchOffset + 5_000);
    const { key } = find('id', `{"id":"${unit.repeat(20_000)}"}`);
    t.ok((key ?? '').length > 256, 'longer than a partition key may be');
    t.equal(arena.bytes[scratchOffset + 4096], 0xaa, 'the byte behind the scratch is untouched');
  }
});

t.test('a path that cannot be followed is refused with its cure', async (t) => {
  const refused = ['', '.', 'a.', '.a', 'a..b', 'a\\b', 'a\\', 'x'.repeat(257), 'a.'.repeat(16) + 'a'];
  for (const text of refused) t.throws(() => compileKeyPath(text), { code: 'bad_key_field' }, JSON.stringify(text));
  t.same(
    compileKeyPath('a\\.b.\\\\').names.map((each) => Buffer.from(each).toString()),
    ['a.b', '\\'],
  );
});
