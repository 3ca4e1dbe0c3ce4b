/**
 * Base64 (RFC 4648, section 4) from one place of the arena to another, 12 bytes at a time. Pure; assembled once per lane worker,
 * called by the JSON wire. Node's own encoder makes a string, which is then copied and collected: 0.3 ns per byte all told, this
 * 0.1 (`bench/base64`).
 *
 * ```
 *   12 bytes, as four big-endian triplets   a b c | d e f | g h i | j k l
 *   16 indexes of 6 bits                    aaaaaa aabbbb bbbbcc cccccc ...
 *   16 letters                              index + what its range adds: A-Z, a-z, 0-9, +, /
 * ```
 */
import {
  asm,
  branchIf,
  type Code,
  get,
  i32Const,
  type Kernel,
  load,
  op,
  set,
  store,
  tee,
  v128Const,
} from './assembler.ts';

/** Bytes that one turn of the loop reads and writes; it looks at four bytes more than it reads. */
export const sourceStep = 12;
export const targetStep = 16;

/** Turns each triplet around into a 32-bit number, whose highest byte does not matter. */
const triplets = [2, 1, 0, 0, 5, 4, 3, 3, 8, 7, 6, 6, 11, 10, 9, 9];

/** What is added to an index, by the number of its range (see {@link letters}): a-z, 0-9 (ten times), +, /, A-Z. */
const additions = [71, ...Array<number>(10).fill(-4), -19, -16, 65, 0, 0].map((value) => value & 0xff);

const target = 0;
const source = 1;
const steps = 2;
const value = 3;
const indexes = 4;

/** Constants live in locals: written out in the loop, each would be put together anew in every turn. */
const constants = [
  triplets,
  lanes32(0x3f),
  lanes32(0x3f00),
  lanes32(0x3f_0000),
  lanes32(0x3f00_0000),
  additions,
  lanes8(51),
  lanes8(26),
  lanes8(13),
] as const;
const firstConstant = 5;
const constant = (index: number): Code => get(firstConstant + index);

function lanes32(number: number): number[] {
  return [0, 1, 2, 3].flatMap(() => [0, 8, 16, 24].map((shift) => (number >>> shift) & 0xff));
}

function lanes8(number: number): number[] {
  return Array<number>(16).fill(number);
}

/** Moves six bits to the right (negative: left) and keeps them alone. */
function sixBits(right: number, mask: number): Code {
  const shift = right >= 0 ? [...i32Const(right), ...op.i32x4ShrU] : [...i32Const(-right), ...op.i32x4Shl];
  return [...get(value), ...shift, ...constant(mask), ...op.and];
}

/** Ranges by number: 0 is a-z (26..51), 1..12 are 0-9, + and / (52..63), 13 is A-Z (0..25). */
const letters: Code = [
  ...constant(5),
  ...asm(get(indexes), constant(6), op.i8x16SubSatU),
  ...asm(constant(7), get(indexes), op.i8x16GtS, constant(8), op.and),
  ...op.or,
  ...op.swizzle,
  ...asm(get(indexes), op.i8x16Add),
];

/** `base64(target, source, steps)`: encodes `steps` (at least one) times {@link sourceStep} bytes. */
export const base64Kernel: Kernel = {
  name: 'base64',
  params: 3,
  i32Locals: 0,
  v128Locals: 2 + constants.length,
  code: [
    ...constants.flatMap((bytes, index) => [...v128Const(bytes), ...set(firstConstant + index)]),
    ...op.loop,
    ...asm(get(source), load(0), constant(0), op.swizzle, set(value)),
    ...asm(sixBits(18, 1), sixBits(4, 2), op.or),
    ...asm(sixBits(-10, 3), sixBits(-24, 4), op.or, op.or, set(indexes)),
    ...asm(get(target), letters, store(0)),
    ...asm(get(source), i32Const(sourceStep), op.i32Add, set(source)),
    ...asm(get(target), i32Const(targetStep), op.i32Add, set(target)),
    ...asm(get(steps), i32Const(1), op.i32Sub, tee(steps), branchIf(0)),
    ...op.end,
  ],
};
