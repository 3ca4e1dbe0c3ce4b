/**
 * CRC-32 of shared memory, fast for short stretches. Any thread; used by the writer and the readers of DLQ entries.
 *
 * The polynomial is that of IEEE 802.3 (0x04C11DB7, reflected 0xEDB88320, initial value and final xor 0xFFFFFFFF): what
 * gzip and `zlib.crc32` compute. `zlib.crc32` costs 150 to 300 ns before its first byte (a view has to be made and handed to
 * C++); slicing by 4 over words costs 2.4 ns a word and no view, so it is the faster one up to about {@link tableBytesMax}.
 */
import { crc32 } from 'node:zlib';
import { assert } from '../base/assert.ts';

/** Up to this many bytes the table wins. Measured; `bench/dlq-append.ts` shows the sum of both paths. */
export const tableBytesMax = 384;

const [table0, table1, table2, table3] = makeTables();

/** CRC-32 of `count` little-endian words from `words[index]`, as a signed 32-bit number (how an Int32Array holds it). */
export function crcOfWords(words: Int32Array, index: number, count: number): number {
  let crc = -1;
  for (const end = index + count; index < end; index++) {
    const mixed = crc ^ words[index]!;
    crc = table3[mixed & 255]! ^ table2[(mixed >>> 8) & 255]! ^ table1[(mixed >>> 16) & 255]! ^ table0[mixed >>> 24]!;
  }
  return ~crc;
}

/** CRC-32 of `length` bytes from `offset`, both multiples of 4; `buffer` and `words` show the same memory. Signed. */
export function crcOfBytes(buffer: Uint8Array, words: Int32Array, offset: number, length: number): number {
  assert((offset & 3) === 0 && (length & 3) === 0, 'entries are made of whole words');
  if (length <= tableBytesMax) return crcOfWords(words, offset >>> 2, length >>> 2);
  return crc32(new Uint8Array(buffer.buffer, buffer.byteOffset + offset, length)) | 0;
}

function makeTables(): [Int32Array, Int32Array, Int32Array, Int32Array] {
  const tables: [Int32Array, Int32Array, Int32Array, Int32Array] = [
    new Int32Array(256),
    new Int32Array(256),
    new Int32Array(256),
    new Int32Array(256),
  ];
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    tables[0][byte] = crc;
  }
  for (let depth = 1; depth < 4; depth++) {
    for (let byte = 0; byte < 256; byte++) {
      const before = tables[depth - 1]![byte]!;
      tables[depth]![byte] = (before >>> 8) ^ tables[0][before & 255]!;
    }
  }
  return tables;
}
