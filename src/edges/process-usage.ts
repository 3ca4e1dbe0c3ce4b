/**
 * What this process takes of the host. Main thread; asked by the status, some ten microseconds each time.
 */

export interface ProcessUsage {
  /** Resident memory, all threads. */
  readonly rssBytes: number;
  /** User and system, since the start. */
  readonly cpuSeconds: number;
  /** When it started, seconds since 1970. */
  readonly startSeconds: number;
}

export function processUsage(): ProcessUsage {
  const { user, system } = process.cpuUsage();
  const startSeconds = performance.timeOrigin / 1000;
  return { rssBytes: process.memoryUsage.rss(), cpuSeconds: (user + system) / 1e6, startSeconds };
}

/** Version of the Node that runs this, like "20.20.2". */
export const nodeVersion: string = process.versions.node;
