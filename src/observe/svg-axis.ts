/**
 * The scales of charts: where on an axis a value lies, and which values are marked. Pure; used by svg.ts and its callers.
 */

/** A marked value. */
export interface Tick {
  readonly at: number;
  readonly label: string;
}

export interface Axis {
  /** Where `value` lies: 0 is the axis' start, 1 its end. */
  readonly place: (value: number) => number;
  readonly ticks: readonly Tick[];
}

/** About how many marks an axis has. */
const ticksWanted = 6;

/**
 * From `least` to `greatest` (rounded outward to a mark), marked at 1, 2 or 5 times a power of ten. `format` gives the text
 * of a mark; without it, plain numbers with thousands grouped. Ends that are not finite, or equal, become a range that can be drawn.
 */
export function linearAxis(least: number, greatest: number, format: (value: number) => string = plainNumber): Axis {
  const from = Number.isFinite(least) ? least : 0;
  const to = Number.isFinite(greatest) && greatest > from ? greatest : from + 1;
  const step = roundStep((to - from) / ticksWanted);
  const first = Math.floor(from / step);
  const last = Math.ceil(to / step - 1e-9);
  const ticks: Tick[] = [];
  for (let index = first; index <= last; index++) {
    // Multiplied, not added up: 0.1 + 0.2 is no mark.
    const at = Number((index * step).toPrecision(12));
    ticks.push({ at, label: format(at) });
  }
  return { place: (value) => (value - first * step) / ((last - first) * step), ticks };
}

/** Powers of ten around `least` to `greatest`, both above 0; smaller values lie at the start. */
export function logAxis(least: number, greatest: number, format: (value: number) => string): Axis {
  const from = Math.floor(Math.log10(least > 0 && Number.isFinite(least) ? least : 1));
  const to = Math.max(from + 1, Math.ceil(Math.log10(greatest > 0 && Number.isFinite(greatest) ? greatest : 1) - 1e-9));
  const ticks: Tick[] = [];
  for (let power = from; power <= to; power++) {
    const at = Number(`1e${power}`);
    ticks.push({ at, label: format(at) });
  }
  return {
    place: (value) => Math.max(0, (Math.log10(Math.max(value, Number.MIN_VALUE)) - from) / (to - from)),
    ticks,
  };
}

/** 1, 2 or 5 times a power of ten, the least that is not below `least`. */
function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  const times = [1, 2, 5, 10].find((factor) => factor * power >= least * (1 - 1e-9)) ?? 10;
  return times * power;
}

function plainNumber(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 6 });
}
