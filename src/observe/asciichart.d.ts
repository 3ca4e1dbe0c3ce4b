/**
 * The part of asciichart's interface that charts use. The package ships no types of its own.
 */
declare module 'asciichart' {
  interface PlotOptions {
    /** Rows between the lowest and the highest value. */
    readonly height?: number;
    readonly min?: number;
    readonly max?: number;
    /** Column of the axis. */
    readonly offset?: number;
    /** Text of one axis label. */
    readonly format?: (value: number) => string;
  }
  export function plot(series: readonly number[] | readonly (readonly number[])[], options?: PlotOptions): string;
}
