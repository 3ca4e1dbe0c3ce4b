/**
 * The one block of memory that all threads share: landing zone, rings, counters, and the lanes' work space live in it.
 * Created on the main thread, opened by each lane worker; never grows.
 *
 * It is the memory of a WebAssembly instance whose only function is `memory.copy`. V8 copies between ordinary and shared
 * typed arrays byte by byte (a relaxed atomic each): 200 bytes cost 114 ns by `TypedArray.set` and 16 ns by `memory.copy`,
 * 1,000 bytes 318 ns and 34 ns. `bench/shared-copy` measures it again. Everything that is copied per event therefore starts
 * and ends in the arena; sockets read straight into it.
 */
import { assert } from '../base/assert.ts';

/** WebAssembly's unit of memory, in bytes. */
const pageBytes = 65_536;

/** Most that one arena can hold: WebAssembly addresses 32 bits; the last page stays out of reach of offset arithmetic. */
export const arenaBytesMax = 4 * 1024 ** 3 - pageBytes;

/**
 * `(module (import "arena" "memory" (memory 1 65536 shared))
 *   (func (export "copy") (param i32 i32 i32) (memory.copy (local.get 0) (local.get 1) (local.get 2))))`
 */
// biome-ignore format: one section of the module per line
const copyModule = new Uint8Array([
  0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00,                               // magic, version 1
  0x01, 0x07, 0x01, 0x60, 0x03, 0x7f, 0x7f, 0x7f, 0x00,                         // type 0: (i32, i32, i32) -> ()
  0x02, 0x14, 0x01, 0x05, 0x61, 0x72, 0x65, 0x6e, 0x61, 0x06, 0x6d, 0x65, 0x6d, // import "arena" "memory":
  0x6f, 0x72, 0x79, 0x02, 0x03, 0x01, 0x80, 0x80, 0x04,                         //   shared, 1..65536 pages
  0x03, 0x02, 0x01, 0x00,                                                       // function 0 has type 0
  0x07, 0x08, 0x01, 0x04, 0x63, 0x6f, 0x70, 0x79, 0x00, 0x00,                   // export "copy" = function 0
  0x0a, 0x0e, 0x01, 0x0c, 0x00, 0x20, 0x00, 0x20, 0x01, 0x20, 0x02, 0xfc, 0x0a, 0x00, 0x00, 0x0b,
]);

/** Views over the shared memory, and the fast copy within it. All offsets count bytes from the arena's start. */
export interface Arena {
  /** What another thread needs to open the same memory: goes through `postMessage` and `workerData`. */
  readonly memory: WebAssembly.Memory;
  readonly length: number;
  readonly bytes: Uint8Array;
  /** The same bytes as a Buffer, for hashing, base64, text and files. */
  readonly buffer: Buffer;
  readonly words: Int32Array;
  readonly floats: Float64Array;
  /** Moves `length` bytes from `source` to `target`; the ranges may overlap. Traps when either leaves the arena. */
  readonly copy: (target: number, source: number, length: number) => void;
}

/** A new arena of at least `length` bytes, zeroed. Pages are taken from the system when first touched. */
export function createArena(length: number): Arena {
  assert(length > 0 && length <= arenaBytesMax, 'arena length is within what WebAssembly addresses');
  const pages = Math.ceil(length / pageBytes);
  return openArena(new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true }));
}

/** The arena that another thread created. */
export function openArena(memory: WebAssembly.Memory): Arena {
  const shared = memory.buffer;
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(copyModule), { arena: { memory } });
  return {
    memory,
    length: shared.byteLength,
    bytes: new Uint8Array(shared),
    buffer: Buffer.from(shared),
    words: new Int32Array(shared),
    floats: new Float64Array(shared),
    copy: exports['copy'] as Arena['copy'],
  };
}
