/**
 * Time, as the daemon reads it. Any thread. Together with edges/random.ts, edges/files.ts and edges/kinesis.ts this is the only
 * contact of the daemon's code with a world that changes between two runs; a simulator gives other clocks.
 */

export interface Clock {
  /** Microseconds since the epoch; never goes back within a process, comparable across its threads. */
  nowUs(): number;
  /** Milliseconds since the epoch, from the same source. */
  nowMs(): number;
}

/** Runs `run` once, so many milliseconds from now; what it returns takes that back. Keeps no thread alive. */
export type After = (delayMs: number, run: () => void) => () => void;

export const systemAfter: After = (delayMs, run) => {
  const timer = setTimeout(run, delayMs).unref();
  return () => clearTimeout(timer);
};

/**
 * The system's monotonic clock, anchored to the wall clock at process start: steps of the wall clock do not turn latencies
 * negative. `performance.timeOrigin` differs per thread and is added, so threads agree to some microseconds.
 */
export const systemClock: Clock = {
  nowUs: () => (performance.timeOrigin + performance.now()) * 1000,
  nowMs: () => performance.timeOrigin + performance.now(),
};
