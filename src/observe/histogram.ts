/**
 * The one histogram layout of spillway, and its text form: microseconds from 1 to one hour at three significant digits,
 * written as HdrHistogram V2, zlib-compressed, base64, which every HdrHistogram tool reads. Any thread, and the `hist`
 * command. Never reads a clock, never keeps state beyond whether WebAssembly could be started.
 *
 * Reading the text form back is `hdr-decode.ts`. One layout everywhere is what makes histograms of lanes, intervals, restarts and hosts add up without loss.
 */
import { createRequire } from 'node:module';
import type * as Hdr from 'hdr-histogram-js';
import type { Histogram } from 'hdr-histogram-js';

export type { Histogram };

// The package's entry also loads what formats log files, and that the number formats of a language (14 ms on each thread).
const require = createRequire(import.meta.url);
type Parts = Pick<typeof Hdr, 'initWebAssemblySync' | 'WasmHistogram' | 'encodeIntoCompressedBase64'>;
const { initWebAssemblySync, WasmHistogram } = require('hdr-histogram-js/dist/wasm') as Parts;
const { encodeIntoCompressedBase64 } = require('hdr-histogram-js/dist/encoding') as Parts;

/** Smallest value that is told apart from 0, in microseconds. */
export const lowestUs = 1;

/** Largest value held, in microseconds: one hour. Whatever took longer is recorded as this. */
export const highestUs = 3_600_000_000;

/** Relative error of a value at most 1 in 10^3. */
export const significantDigits = 3;

/** What counts the values: WebAssembly, or JavaScript where it cannot be started. Both encode to the same bytes. */
export type HistogramEngine = 'wasm' | 'js';

/**
 * Starts the WebAssembly engine; once per thread, later calls are free. Gives `js` where WebAssembly is not available.
 *
 * Not the library's asynchronous way: that one asks whether it was given a `Response`, and with this word Node loads its fetch
 * (40 ms and 6 MiB on each thread, `node --cpu-prof`). The module is small enough to be compiled in 3 ms.
 */
export function startHistograms(): HistogramEngine {
  try {
    initWebAssemblySync();
    return 'wasm';
  } catch {
    return 'js';
  }
}

/** An empty histogram that counts up to 2^32 - 1 per value: enough for one interval. `destroy()` it: WebAssembly memory is not collected. */
export function intervalHistogram(engine: HistogramEngine): Histogram {
  const layout = {
    bitBucketSize: 32,
    autoResize: false,
    lowestDiscernibleValue: lowestUs,
    highestTrackableValue: highestUs,
    numberOfSignificantValueDigits: significantDigits,
  } as const;
  if (engine === 'wasm') return WasmHistogram.build(layout);
  return (require('hdr-histogram-js') as typeof Hdr).build({ ...layout, useWebAssembly: false });
}

/** The text form: HdrHistogram V2, compressed, base64. */
export function encodeHistogram(histogram: Histogram): string {
  return encodeIntoCompressedBase64(histogram);
}

/** The value, in microseconds, below or at which `percentile` (0..100) percent of all recorded values lie; 0 when empty. */
export function percentileUs(histogram: Histogram, percentile: number): number {
  // The library answers with the upper end of a bucket, which may lie above the largest value that was recorded.
  return Math.min(histogram.getValueAtPercentile(percentile), histogram.maxValue);
}
