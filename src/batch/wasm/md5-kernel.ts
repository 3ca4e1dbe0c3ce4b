/**
 * MD5's compression of four or eight messages at once. Pure; assembled once per lane worker, called by md5-group.ts.
 *
 * MD5 is one long chain: each of a block's 64 steps waits for the one before, and a core spends most of its time waiting. One
 * message costs 1.3 ns per byte however it is programmed. Four messages in the lanes of 128-bit registers cost the same time
 * as one, and a second such set fills the gaps of the first: 0.3 ns per byte (`bench/md5`).
 *
 * ```
 *   scratch  +0    the 64 constants of MD5 (256 bytes), written by the caller
 *            +256  per set: a, b, c, d, each of four messages (64 bytes)
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
  loadSplat,
  op,
  set,
  shuffle,
  store,
  tee,
} from './assembler.ts';

/** Where the state begins behind the scratch's start, and bytes of one set's state. */
export const stateOffset = 256;
export const setBytes = 64;
export const blockBytes = 64;

const lowWords = [0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23];
const highWords = [8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31];
const lowHalves = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23];
const highHalves = [8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31];

/** Rotations of each round's steps, and which word of the block step `i` of a round adds (RFC 1321, section 3.4). */
const rotations = [
  [7, 12, 17, 22],
  [5, 9, 14, 20],
  [4, 11, 16, 23],
  [6, 10, 15, 21],
] as const;
const wordOf = [
  (i: number) => i,
  (i: number) => (5 * i + 1) % 16,
  (i: number) => (3 * i + 5) % 16,
  (i: number) => (7 * i) % 16,
] as const;

/** v128 locals of one set: its state, the state before the block, the block's 16 words, two temporaries. */
const localsPerSet = 4 + 4 + 16 + 2;

class SetLocals {
  readonly first: number;

  constructor(first: number) {
    this.first = first;
  }
  state(i: number): number {
    return this.first + (i & 3);
  }
  saved(i: number): number {
    return this.first + 4 + i;
  }
  word(i: number): number {
    return this.first + 8 + i;
  }
  temporary(i: number): number {
    return this.first + 24 + i;
  }
}

/** `name(pointer of each message, blocks, scratch)`: adds `blocks` (at least one) blocks of each message to its state. */
export function md5Kernel(name: string, sets: 1 | 2): Kernel {
  const messages = 4 * sets;
  const blocks = messages;
  const scratch = messages + 1;
  const params = messages + 2;
  const locals = Array.from({ length: sets }, (_, i) => new SetLocals(params + i * localsPerSet));
  const each = (code: (local: SetLocals, index: number) => Code): Code =>
    locals.flatMap((local, i) => [...code(local, i)]);
  const states = [0, 1, 2, 3];
  const place = (index: number, i: number): number => stateOffset + index * setBytes + 16 * i;
  const code: Code = [
    ...each((local, index) =>
      states.flatMap((i) => [...get(scratch), ...load(place(index, i)), ...set(local.state(i))]),
    ),
    ...op.loop,
    ...each((local) => states.flatMap((i) => [...get(local.state(i)), ...set(local.saved(i))])),
    ...each((local, index) => transpose(local, 4 * index)),
    ...Array.from({ length: 64 }, (_, step) => each((local) => stepCode(local, step, scratch))).flat(),
    ...each((local) =>
      states.flatMap((i) => [...get(local.saved(i)), ...get(local.state(i)), ...op.i32x4Add, ...set(local.state(i))]),
    ),
    ...Array.from({ length: messages }, (_, i) => [...get(i), ...i32Const(blockBytes), ...op.i32Add, ...set(i)]).flat(),
    ...asm(get(blocks), i32Const(1), op.i32Sub, tee(blocks), branchIf(0)),
    ...op.end,
    ...each((local, index) =>
      states.flatMap((i) => [...get(scratch), ...get(local.state(i)), ...store(place(index, i))]),
    ),
  ];
  return { name, params, i32Locals: 0, v128Locals: sets * localsPerSet, code };
}

/** Loads the block of four messages and turns rows into columns: local `word(i)` holds word `i` of each message. */
function transpose(local: SetLocals, pointer: number): Code {
  const code: number[] = [];
  const [low, high] = [local.temporary(0), local.temporary(1)];
  for (let quarter = 0; quarter < 4; quarter++) {
    const rows = [0, 1, 2, 3].map((row) => [...get(pointer + row), ...load(16 * quarter)]);
    const pairs = (lanes: readonly number[]): Code => [
      ...asm(rows[0] as Code, rows[1] as Code, shuffle(lanes), set(low)),
      ...asm(rows[2] as Code, rows[3] as Code, shuffle(lanes), set(high)),
    ];
    const both = (lanes: readonly number[], word: number): Code => [
      ...asm(get(low), get(high), shuffle(lanes), set(local.word(word))),
    ];
    code.push(...pairs(lowWords), ...both(lowHalves, 4 * quarter), ...both(highHalves, 4 * quarter + 1));
    code.push(...pairs(highWords), ...both(lowHalves, 4 * quarter + 2), ...both(highHalves, 4 * quarter + 3));
  }
  return code;
}

/** One step: a = b + ((a + f(b, c, d) + word + constant) rotated left). The names move on by one each step. */
function stepCode(local: SetLocals, step: number, scratch: number): Code {
  const round = step >> 4;
  const [a, b, c, d] = [0, 1, 2, 3].map((i) => local.state(i - step + 64)) as [number, number, number, number];
  const rotation = (rotations[round] as readonly number[])[step & 3] as number;
  const word = (wordOf[round] as (i: number) => number)(step & 15);
  const sum = local.temporary(0);
  return [
    // What is known early stands first, so that only the round's function waits for the step before.
    ...asm(get(a), get(local.word(word)), op.i32x4Add),
    ...asm(get(scratch), loadSplat(4 * step), op.i32x4Add),
    ...roundFunction(round, b, c, d),
    ...asm(op.i32x4Add, tee(sum)),
    ...asm(i32Const(rotation), op.i32x4Shl),
    ...asm(get(sum), i32Const(32 - rotation), op.i32x4ShrU),
    ...asm(op.or, get(b), op.i32x4Add, set(a)),
  ];
}

function roundFunction(round: number, b: number, c: number, d: number): Code {
  switch (round) {
    case 0:
      return [...get(d), ...get(b), ...get(c), ...get(d), ...op.xor, ...op.and, ...op.xor];
    case 1:
      return [...get(c), ...get(d), ...get(b), ...get(c), ...op.xor, ...op.and, ...op.xor];
    case 2:
      return [...get(c), ...get(d), ...op.xor, ...get(b), ...op.xor];
    default:
      return [...get(c), ...get(d), ...op.not, ...get(b), ...op.or, ...op.xor];
  }
}
