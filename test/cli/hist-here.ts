/**
 * Runs `spillway hist` inside the test's own process, and the lines that its tests read. Only tests import it; errors come as they
 * are thrown.
 */
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { command } from '../../src/cli/hist.ts';
import { Latency } from '../../src/observe/latency.ts';
import { latencyLines } from '../observe/latency-log.ts';

export const startMs = Date.UTC(2026, 10, 27, 18);

/** Two intervals of one lane and stream, and one of another lane. */
export const put = latencyLines(
  Latency.put,
  [[1_000, 2_000, 3_000, 60_000], [5_000]],
  { lane: 0, stream: 'orders' },
  startMs,
);
export const ring = latencyLines(Latency.ingressToRing, [[3, 4]], { lane: 1 }, startMs + 60_000);
export const other = '{"level":"info","time":"2026-11-27T18:00:00.000Z","kind":"ready","msg":"ready"}\n';

/** Runs the command in this process and gives what it wrote. */
export async function hist(
  args: readonly string[],
  stdin: Readable = Readable.from([]),
): Promise<{ out: string; err: string }> {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const cli = command({ stdin, stdout, stderr }).exitOverride();
  cli.configureOutput({ writeErr: () => undefined });
  try {
    await cli.parseAsync(args, { from: 'user' });
  } finally {
    stdout.end();
    stderr.end();
  }
  return { out: await text(stdout), err: await text(stderr) };
}
