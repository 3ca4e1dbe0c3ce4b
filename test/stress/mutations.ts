/**
 * How senders are broken: bytes, JSON texts and frames, mutated by name. For the fuzz lane; every choice comes from its seed.
 *
 * Long because it is a list of mutations.
 */
import { encodeBare, encodeEvent } from '../../src/ingress/frame-layout.ts';
import { type Below, pick } from './seeded.ts';

/** Largest event of the stream that is fuzzed: small, so that lengths around it cost little. */
export const eventBytesMax = 8_192;

const border32 = [
  0,
  1,
  7,
  8,
  127,
  128,
  255,
  256,
  65_535,
  65_536,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 9,
  2 ** 32 - 8,
  2 ** 32 - 1,
];
const borderBytes = [
  0x00, 0x09, 0x0a, 0x0d, 0x20, 0x22, 0x2c, 0x5b, 0x5c, 0x5d, 0x7b, 0x7d, 0x7f, 0x80, 0xbf, 0xc0, 0xef, 0xfe, 0xff,
];

/** A seed text that no mutation can turn into an event that must arrive. */
export function mutantText(below: Below): string {
  const padding = 'x'.repeat(below(10) === 0 ? below(600) : below(40));
  return `{"user":{"id":"m${below(500)}"},"mutant":${below(1e6)},"text":"${padding}"}`;
}

type ByteMutation = (bytes: Buffer, below: Below) => Buffer;

/** Damage that knows nothing of what it damages. */
export const byteMutations: Readonly<Record<string, ByteMutation>> = {
  bitFlip: (bytes, below) => {
    if (bytes.length > 0) {
      const at = below(bytes.length);
      bytes[at] = (bytes[at] as number) ^ (1 << below(8));
    }
    return bytes;
  },
  borderByte: (bytes, below) => {
    if (bytes.length > 0) bytes[below(bytes.length)] = pick(borderBytes, below);
    return bytes;
  },
  truncated: (bytes, below) => bytes.subarray(0, below(bytes.length + 1)),
  beheaded: (bytes, below) => bytes.subarray(below(bytes.length + 1)),
  duplicated: (bytes, below) => {
    const at = below(bytes.length + 1);
    const to = Math.min(bytes.length, at + 1 + below(40));
    return Buffer.concat([bytes.subarray(0, to), bytes.subarray(at)]);
  },
  cutOut: (bytes, below) => {
    const at = below(bytes.length + 1);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + below(16))]);
  },
  inserted: (bytes, below) => {
    const at = below(bytes.length + 1);
    const noise = Buffer.from(Array.from({ length: 1 + below(12) }, () => below(256)));
    return Buffer.concat([bytes.subarray(0, at), noise, bytes.subarray(at)]);
  },
  spliced: (bytes, below) => {
    const other = Buffer.from(mutantText(below));
    return Buffer.concat([bytes.subarray(0, below(bytes.length + 1)), other.subarray(below(other.length + 1))]);
  },
};

/** Texts that are hard, valid or not. */
export const jsonMutations: Readonly<Record<string, (below: Below) => string>> = {
  nested: (below) => {
    const depth = pick([1, 10, 62, 63, 64, 65, 66, 200, 2_000], below);
    const [open, close] = pick(
      [
        ['[', ']'],
        ['{"a":', '}'],
        ['[{"b":', '}]'],
      ] as const,
      below,
    );
    const inner = `${open.repeat(depth)}${below(2)}${close.repeat(below(9) === 0 ? depth - 1 : depth)}`;
    return below(2) === 0 ? inner : `{"x":${inner},"user":{"id":"m"}}`;
  },
  hugeKey: (below) => {
    const letter = pick(['k', 'é', '€', '😀', '\\u0041', '\\ud83d\\ude00', '\\n'], below);
    return `{"user":{"id":"${letter.repeat(pick([1, 127, 128, 255, 256, 257, 341, 342, 1_024, 1_025, 1_300], below))}"}}`;
  },
  keyEscapes: (below) => {
    const escapes = [
      '\\"',
      '\\\\',
      '\\/',
      '\\b',
      '\\u0000',
      '\\ud800',
      '\\udc00\\ud800',
      '\\u00',
      '\\x',
      '\\',
      '\u0001',
      '\ufeff',
    ];
    const name = pick(['user', '\\u0075ser', 'us\\u0065r', 'user\\u0000', 'us\\er'], below);
    return `{"${name}":{"id":"${pick(escapes, below)}${pick(escapes, below)}"}}`;
  },
  numbers: (below) => {
    const numbers = [
      '-0',
      '0',
      '00',
      '1.',
      '.5',
      '1e',
      '1e+',
      '1E400',
      '-',
      '+1',
      '9007199254740993',
      '0x10',
      '1e-999',
      'NaN',
      '1'.repeat(300),
    ];
    return pick([`{"user":{"id":#}}`, `{"n":#,"user":{"id":"m"}}`, '#', `[#]`], below).replace(
      '#',
      pick(numbers, below),
    );
  },
  otherKeys: (below) =>
    pick(
      [
        '{"user":{"id":null}}',
        '{"user":7}',
        '{"user":{"id":{}}}',
        '{"user":{"id":""}}',
        '{}',
        '[]',
        '7',
        '"m"',
        'null',
        ' ',
        '\r',
        '{"user":{"id":"m"},"user":{}}',
        '{"a":1,}',
        '{"user" :\t{ "id" : "m" } }',
        '\ufeff{"user":{"id":"m"}}',
      ],
      below,
    ),
  atLimit: (below) => {
    const length = eventBytesMax - 40 + below(60);
    return `{"user":{"id":"m"},"t":"${'l'.repeat(length - 26)}"}`;
  },
  wayBeyond: (below) => `{"user":{"id":"m"},"t":"${'w'.repeat(eventBytesMax + below(60_000))}"}`,
};

/** Frames with one field wrong, or at the edge of right. */
export const frameMutations: Readonly<Record<string, (below: Below) => Buffer>> = {
  bodyLength: (below) => {
    const frame = anyEvent(below);
    const length = frame.readUInt32LE(0);
    frame.writeUInt32LE(pick([length - 1, length + 1, length * 2, ...border32], below), 0);
    return frame;
  },
  keyLength: (below) => {
    const frame = anyEvent(below);
    const [body, key] = [frame.readUInt32LE(0), frame.readUInt16LE(6)];
    frame.writeUInt16LE(pick([0, Math.max(0, key - 1), key + 1, body, body + 1, 65_535], below), 6);
    return frame;
  },
  type: (below) => {
    const frame = anyEvent(below);
    frame[4] = below(256);
    return frame;
  },
  flags: (below) => {
    const frame = anyEvent(below);
    frame[5] = below(4) === 0 ? below(256) : below(4);
    return frame;
  },
  bare: (below) => encodeBare(pick([2, 2, 2, 2, 2, 3, 0, 65], below)),
  anyKey: (below) => {
    const frame = encodeEvent(Buffer.alloc(0), Buffer.from(mutantText(below)));
    frame[5] = 2;
    return frame;
  },
  hashKey: (below) =>
    encodeEvent(
      Buffer.from('m'),
      Buffer.from(mutantText(below)),
      Buffer.alloc(16, pick([0, 1, 0x7f, 0x80, 0xff], below)),
    ),
  keys: (below) => {
    const letter = pick(['k', 'é', '€', '😀', '\0', '"', '\\'], below);
    const key = Buffer.from(letter.repeat(pick([0, 1, 255, 256, 257, 300, 1_030], below)));
    if (below(3) === 0 && key.length > 0) key[below(key.length)] = below(256);
    return encodeEvent(key, Buffer.from(mutantText(below)));
  },
  atLimit: (below) => encodeEvent(Buffer.from('m'), Buffer.alloc(eventBytesMax - 20 + below(40), 'l')),
  beyond: (below) => encodeEvent(Buffer.from('m'), Buffer.alloc(eventBytesMax + below(50_000), 'w')),
  empty: (below) => encodeEvent(Buffer.from('m'.repeat(below(2))), Buffer.alloc(0)),
};

function anyEvent(below: Below): Buffer {
  return encodeEvent(Buffer.from(`m${below(100)}`), Buffer.from(mutantText(below)));
}

/** Damages `bytes` in one to three ways; returns their names too. */
export function damage(bytes: Buffer, below: Below): { readonly bytes: Buffer; readonly names: string[] } {
  const names: string[] = [];
  let damaged = Buffer.from(bytes);
  for (let left = below(6) === 0 ? 1 + below(3) : 1; left > 0; left -= 1) {
    const name = pick(Object.keys(byteMutations), below);
    damaged = Buffer.from(byteMutations[name]?.(damaged, below) ?? damaged);
    names.push(name);
  }
  return { bytes: damaged, names };
}

/** A hard text, or a plain one that is damaged, or both. */
export function mutatedText(below: Below): { readonly bytes: Buffer; readonly names: string[] } {
  if (below(2) === 0) return damage(Buffer.from(mutantText(below)), below);
  const name = pick(Object.keys(jsonMutations), below);
  // The dearest are the rarest.
  if (name === 'wayBeyond' && below(4) > 0) return mutatedText(below);
  const bytes = Buffer.from(jsonMutations[name]?.(below) ?? '');
  if (below(4) > 0) return { bytes, names: [name] };
  const more = damage(bytes, below);
  return { bytes: more.bytes, names: [name, ...more.names] };
}

/** The same for frames. */
export function mutatedFrame(below: Below): { readonly bytes: Buffer; readonly names: string[] } {
  // Damage of a header ends the connection, and what stands behind it is never read: mostly the body is hit.
  if (below(3) === 0) {
    const frame = anyEvent(below);
    const spared = below(4) === 0 ? 0 : 8;
    const at = spared + below(frame.length - spared);
    frame[at] = (frame[at] as number) ^ (1 << below(8));
    if (below(30) > 0) return { bytes: frame, names: ['bitFlip'] };
    return damage(frame, below);
  }
  const name = pick(Object.keys(frameMutations), below);
  const rare = name === 'bodyLength' || name === 'type' || name === 'beyond' || name === 'bare';
  if (rare && below(6) > 0) return mutatedFrame(below);
  return { bytes: frameMutations[name]?.(below) ?? Buffer.alloc(0), names: [name] };
}
