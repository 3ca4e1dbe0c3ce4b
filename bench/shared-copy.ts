/**
 * What does it cost to copy an event into, out of and within shared memory?
 *
 * ```
 *   private ──set──▶ private      (the baseline: what a copy costs where nothing is shared)
 *   private ──set──▶ shared
 *   shared  ──set──▶ private
 *   arena   ──copy─▶ arena        (memory.copy of the arena's WebAssembly instance)
 * ```
 *
 * One thread; pieces of 64 to 65,536 bytes, one after the other through a region that fits the second-level cache, so that the
 * call and the way of copying are measured and not the memory. "Skewed": source and target differ modulo 8, as events in a
 * socket's bytes do; V8 then copies shared memory by single bytes, otherwise by words. "Fresh view": with the `subarray` that
 * `set` needs for a piece whose place is not known beforehand. This is the claim that src/ring/arena.ts is built on.
 */
import { createArena } from '../src/ring/arena.ts';
import { type BenchCase, benchSwitches, runCases } from './harness.ts';

const switches = benchSwitches();
const regionBytes = 262_144;
const arena = createArena(2 * regionBytes);
const privateSource = new Uint8Array(regionBytes).fill(1);
const privateTarget = new Uint8Array(regionBytes);
const sharedSource = arena.bytes.subarray(0, regionBytes).fill(2);
const sharedTarget = arena.bytes.subarray(regionBytes);

/** How far skewed sources lie off the target's alignment, in bytes. */
const skewBytes = 3;

/** Offsets of the pieces of one run; the last one leaves room for the skew. */
function pieceOffsets(length: number): number[] {
  const offsets: number[] = [];
  for (let at = 0; at + length + skewBytes <= regionBytes; at += length) offsets.push(at);
  return offsets;
}

/** Copies the region piece by piece with `TypedArray.set`, from views that were made beforehand. */
function bySet(name: string, source: Uint8Array, target: Uint8Array, length: number, skew: number): BenchCase {
  const offsets = pieceOffsets(length);
  const pieces = offsets.map((at) => source.subarray(at + skew, at + skew + length));
  const run = (): number => {
    let at = 0;
    for (const piece of pieces) {
      target.set(piece, at);
      at += length;
    }
    return target[at - 1]!;
  };
  return { name: `${length} B, set ${name}${skew > 0 ? ', skewed' : ''}`, unit: 'copy', units: pieces.length, run };
}

function byFreshView(length: number): BenchCase {
  const offsets = pieceOffsets(length);
  const run = (): number => {
    for (const at of offsets) sharedTarget.set(sharedSource.subarray(at + skewBytes, at + skewBytes + length), at);
    return sharedTarget[length - 1]!;
  };
  return { name: `${length} B, set shared to shared, skewed, fresh view`, unit: 'copy', units: offsets.length, run };
}

function byArena(length: number, skew: number): BenchCase {
  const offsets = pieceOffsets(length);
  const run = (): number => {
    for (const at of offsets) arena.copy(regionBytes + at, at + skew, length);
    return sharedTarget[length - 1]!;
  };
  return { name: `${length} B, arena.copy${skew > 0 ? ', skewed' : ''}`, unit: 'copy', units: offsets.length, run };
}

const cases = [64, 200, 1000, 65_536].flatMap((length) => [
  bySet('private to private', privateSource, privateTarget, length, skewBytes),
  bySet('private to shared', privateSource, sharedTarget, length, 0),
  bySet('private to shared', privateSource, sharedTarget, length, skewBytes),
  bySet('shared to private', sharedSource, privateTarget, length, skewBytes),
  byFreshView(length),
  byArena(length, 0),
  byArena(length, skewBytes),
]);
await runCases(cases, switches, 0.3);
