/**
 * Just enough of an assembler for WebAssembly to write a module of functions over one imported shared memory. Pure; runs once
 * per lane worker, at its start, in about a millisecond. The kernels beside it are made of it: loops over bytes that JavaScript
 * cannot express, because it has no 128-bit integers.
 *
 * Format: WebAssembly core specification 2.0, chapter 5 (binary format), with the threads proposal's shared memory.
 */

/** Code of a function body: a flat list of bytes. */
export type Code = readonly number[];

/** Instructions without an operand that are used here, and value types. */
export const op = {
  i32: 0x7f,
  v128: 0x7b,
  i32Add: [0x6a],
  i32Sub: [0x6b],
  i32Xor: [0x73],
  loop: [0x03, 0x40],
  end: [0x0b],
  not: simd(0x4d),
  and: simd(0x4e),
  or: simd(0x50),
  xor: simd(0x51),
  /** (a, b, mask): bits of a where the mask is set, else of b. */
  bitselect: simd(0x52),
  swizzle: simd(0x0e),
  i8x16GtS: simd(0x27),
  i8x16Add: simd(0x6e),
  i8x16SubSatU: simd(0x73),
  i32x4Shl: simd(0xab),
  i32x4ShrU: simd(0xad),
  i32x4Add: simd(0xae),
} as const;

/** One behind the other: a line of code. */
export function asm(...parts: readonly Code[]): number[] {
  return parts.flat();
}

function simd(opcode: number): Code {
  return [0xfd, ...unsigned(opcode)];
}

/** Unsigned LEB128. */
function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  bytes.push(rest);
  return bytes;
}

/** Signed LEB128 of a 32-bit number. */
function signed(value: number): number[] {
  const bytes: number[] = [];
  let rest = value | 0;
  for (;;) {
    const low = rest & 0x7f;
    rest >>= 7;
    if ((rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)) return [...bytes, low];
    bytes.push(low | 0x80);
  }
}

export const get = (local: number): Code => [0x20, ...unsigned(local)];
export const set = (local: number): Code => [0x21, ...unsigned(local)];
export const tee = (local: number): Code => [0x22, ...unsigned(local)];
export const i32Const = (value: number): Code => [0x41, ...signed(value)];
export const branchIf = (depth: number): Code => [0x0d, ...unsigned(depth)];
/** 16 bytes at any address. */
export const load = (offset: number): Code => [...simd(0x00), 0, ...unsigned(offset)];
/** 4 bytes at any address, four times. */
export const loadSplat = (offset: number): Code => [...simd(0x09), 0, ...unsigned(offset)];
export const store = (offset: number): Code => [...simd(0x0b), 0, ...unsigned(offset)];
export const v128Const = (bytes: readonly number[]): Code => [...simd(0x0c), ...bytes];
/** Lanes 0 to 15 are the first operand's bytes, 16 to 31 the second's. */
export const shuffle = (lanes: readonly number[]): Code => [...simd(0x0d), ...lanes];

export interface Kernel {
  readonly name: string;
  /** Number of i32 parameters; they are the first locals. No kernel returns anything. */
  readonly params: number;
  /** Numbers of i32 and v128 locals behind the parameters, in this order. */
  readonly i32Locals: number;
  readonly v128Locals: number;
  readonly code: Code;
}

/** Magic and version. */
const moduleHead = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];

/** Instantiates the kernels over `memory`; each becomes a function of its name. */
export function assemble(
  kernels: readonly Kernel[],
  memory: WebAssembly.Memory,
): Record<string, (...args: number[]) => void> {
  const types = kernels.map(({ params }) => [0x60, ...unsigned(params), ...Array(params).fill(op.i32), 0]);
  const imported = [...text('arena'), ...text('memory'), 0x02, 0x03, 1, ...unsigned(65_536)];
  const exported = kernels.map(({ name }, index) => [...text(name), 0x00, ...unsigned(index)]);
  const bodies = kernels.map(({ i32Locals, v128Locals, code }) => {
    const body = [2, ...unsigned(i32Locals), op.i32, ...unsigned(v128Locals), op.v128, ...code, ...op.end];
    return [...unsigned(body.length), ...body];
  });
  const module = new WebAssembly.Module(
    Uint8Array.from([
      ...moduleHead,
      ...section(1, types),
      ...section(2, [imported]),
      ...section(
        3,
        kernels.map((_, index) => unsigned(index)),
      ),
      ...section(7, exported),
      ...section(10, bodies),
    ]),
  );
  return new WebAssembly.Instance(module, { arena: { memory } }).exports as Record<string, (...args: number[]) => void>;
}

function section(id: number, entries: readonly Code[]): number[] {
  const content = [...unsigned(entries.length), ...entries.flat()];
  return [id, ...unsigned(content.length), ...content];
}

function text(value: string): number[] {
  return [...unsigned(value.length), ...Buffer.from(value, 'latin1')];
}
