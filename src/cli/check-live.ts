/**
 * `spillway check --live`: asks Kinesis about every stream of a correct configuration and reports what would keep its events
 * from being delivered. Main thread; called by `check`; it loads the SDK, which `run` never does on this thread.
 */
import { SpillwayError } from '../base/errors.ts';
import type { Config, StreamConfig } from '../daemon/config.ts';
import { deliveryOptions } from '../daemon/demand.ts';
import { type Finding, findingsOf, type Result, worst } from './live-findings.ts';

export interface StreamReport {
  readonly name: string;
  readonly streamName: string;
  readonly region: string;
  readonly endpoint?: string | undefined;
  readonly result: Result;
  readonly findings: readonly Finding[];
}

export interface LiveReport {
  readonly result: Result;
  readonly streams: readonly StreamReport[];
}

/** Asks about all streams at once; each gets `timeoutMs` for all of its questions. */
export async function checkLive(config: Config, timeoutMs: number): Promise<LiveReport> {
  // The SDK warns of versions to come; the one here is pinned.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';
  const { probeStream } = await import('../edges/kinesis-probe.ts');
  const reportOf = async (stream: StreamConfig): Promise<StreamReport> => {
    const facts = await probeStream(deliveryOptions(config, stream, undefined).target, timeoutMs);
    const findings = findingsOf(stream, facts);
    const { name, streamName, region, endpoint } = stream;
    return { name, streamName, region, endpoint, result: worst(findings), findings };
  };
  const streams = await Promise.all(config.streams.map(reportOf));
  return { result: worst(streams), streams };
}

/** The report for people: a block per stream, a line per finding, its cure below it. */
export function liveText({ streams }: LiveReport): string {
  return streams.map(streamText).join('\n\n');
}

/** What ends the process with 1 when events would not be delivered; undefined: warnings at most. */
export function liveFailure({ streams }: LiveReport): SpillwayError | undefined {
  const names = streams.filter(({ result }) => result === 'error').map(({ name }) => name);
  if (names.length === 0) return undefined;
  return new SpillwayError('live', `events of ${names.join(', ')} would not be delivered: see the errors above`);
}

function streamText({ name, streamName, region, endpoint, findings }: StreamReport): string {
  const at = endpoint === undefined ? '' : ` at ${endpoint}`;
  const lines = findings.flatMap(({ check, result, seen, cure }) => [
    `  ${result.padEnd(8)} ${check.padEnd(13)} ${seen}`,
    ...(cure === undefined ? [] : [`${' '.repeat(25)}cure: ${cure}`]),
  ]);
  return [`stream ${name} -> ${streamName} in ${region}${at}`, ...lines].join('\n');
}
