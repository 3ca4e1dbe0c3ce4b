/**
 * What answers of Kinesis mean for a stream's configuration: one finding per question, with its cure. Main thread; pure; called
 * by `check --live`.
 */
import { formatDuration, formatSize } from '../base/units.ts';
import type { StreamConfig } from '../daemon/config.ts';
import { type Asked, failureCure, failureScope } from '../edges/failure-cures.ts';
import type { Answered, CredentialFacts, ProbeFacts, ShardFacts, SummaryFacts } from '../edges/kinesis-probe.ts';

export type Result = 'ok' | 'warning' | 'error';

/** `way`: what keeps every request from an answer. */
type Check =
  | 'credentials'
  | 'way'
  | 'describe'
  | 'distribution'
  | 'record_size'
  | 'shards'
  | 'write'
  | 'clock'
  | 'latency';

/** `error`: events would not be delivered. `warning`: they would, and something is not as the configuration wants it. */
export interface Finding {
  readonly check: Check;
  readonly result: Result;
  /** Stable word for the cause of a warning or an error. */
  readonly cause?: string;
  readonly seen: string;
  readonly cure?: string;
}

/** Beyond this, what depends on the time of day goes wrong; beyond five minutes, AWS refuses signatures. */
const clockAheadMsMax = 60_000;

export function findingsOf(stream: StreamConfig, facts: ProbeFacts): Finding[] {
  const { credentials, summary, shards, write } = facts;
  const named = summary?.ok ? summary.value.arn : (stream.streamArn ?? stream.streamName);
  const asking = (action: string): Asked => ({
    action,
    stream: named,
    region: stream.region,
    endpoint: stream.endpoint,
    proxy: stream.proxy,
  });
  return [
    ...credentialFindings(credentials, asking('sts:AssumeRole')),
    ...(summary === undefined ? [] : summaryFindings(stream, summary, asking('kinesis:DescribeStreamSummary'))),
    ...(shards === undefined ? [] : shardFindings(stream, shards, asking('kinesis:ListShards'))),
    ...(write === undefined ? [] : writeFindings(write, asking('kinesis:PutRecords'))),
    ...clockFindings(facts),
    ...latencyFindings(stream, facts.writeMs),
  ];
}

/** The worst of some findings. */
export function worst(findings: readonly { readonly result: Result }[]): Result {
  if (findings.some(({ result }) => result === 'error')) return 'error';
  return findings.some(({ result }) => result === 'warning') ? 'warning' : 'ok';
}

function credentialFindings(answer: Answered<CredentialFacts>, asked: Asked): Finding[] {
  if (!answer.ok) return [failed('credentials', 'error', answer, asked)];
  const { provider, key, accountId, expiresMs } = answer.value;
  const account = accountId === undefined ? '' : `, account ${accountId}`;
  const expires = expiresMs === undefined ? '' : `, until ${new Date(expiresMs).toISOString()}`;
  return [{ check: 'credentials', result: 'ok', seen: `from ${provider}, key ${key}${account}${expires}` }];
}

function summaryFindings(stream: StreamConfig, answer: Answered<SummaryFacts>, asked: Asked): Finding[] {
  if (!answer.ok) {
    // Only this one permission is missing: events go, one to a record.
    const alone = answer.cause === 'access_denied' || answer.cause === 'throttled';
    const finding = failed('describe', alone ? 'warning' : 'error', answer, asked);
    return [alone && stream.aggregation ? { ...finding, seen: `${finding.seen}; nothing is aggregated` } : finding];
  }
  const { status, mode, openShards, encryption, keyId } = answer.value;
  const encrypted = encryption === 'NONE' ? 'not encrypted' : `encrypted with ${encryption} key ${keyId ?? '(own)'}`;
  const active = status === 'ACTIVE' || status === 'UPDATING';
  const seen = `${status}, ${mode}, ${openShards} open shards, ${encrypted}`;
  if (active) return [{ check: 'describe', result: 'ok', seen }, ...consequences(stream, answer.value)];
  const { cure } = failureCure('stream_busy', asked);
  return [{ check: 'describe', result: 'error', cause: 'stream_busy', seen, cure }];
}

/** What the stream's settings make of the configuration's. */
function consequences(stream: StreamConfig, summary: SummaryFacts): Finding[] {
  const sizes = summary.recordBytesMax === undefined ? [] : [sizeFinding(stream, summary.recordBytesMax, summary.arn)];
  return [distributionFinding(stream, summary.placesByKey), ...sizes];
}

function distributionFinding(stream: StreamConfig, placesByKey: boolean | undefined): Finding {
  const check = 'distribution';
  if (placesByKey === true) return { check, result: 'ok', seen: 'by partition key' };
  const auto = placesByKey === false;
  const cause = auto ? 'distribution_auto' : 'distribution_unknown';
  const seen = auto ? 'AUTO: Kinesis ignores partition keys' : 'the endpoint does not tell the distribution strategy';
  const strategy = 'set RecordDistributionStrategy of the stream to USER_PARTITION_KEY';
  if (auto && stream.ordering === 'key') {
    const cure = `${strategy}, or write ordering = "none"`;
    return { check, result: 'error', cause, seen: `${seen}; ordering = "key" cannot hold`, cure };
  }
  if (!stream.aggregation) return { check, result: 'ok', seen };
  const cure = `write aggregation = false to say so${auto ? `, or ${strategy}` : ''}`;
  return { check, result: 'warning', cause, seen: `${seen}; nothing is aggregated`, cure };
}

function sizeFinding({ recordBytesMax }: StreamConfig, streamBytesMax: number, arn: string): Finding {
  const limit = formatSize(streamBytesMax);
  if (streamBytesMax >= recordBytesMax) {
    return { check: 'record_size', result: 'ok', seen: `records of up to ${limit}` };
  }
  const raise = `aws kinesis update-max-record-size --stream-arn ${arn} --max-record-size-in-ki-b`;
  return {
    check: 'record_size',
    result: 'warning',
    cause: 'record_limit_lower',
    seen: `the stream takes records of up to ${limit}, record_bytes_max is ${formatSize(recordBytesMax)}: larger events are refused`,
    cure: `write record_bytes_max = "${limit}", or raise the stream's limit: ${raise} ${Math.ceil(recordBytesMax / 1024)}`,
  };
}

function shardFindings(stream: StreamConfig, answer: Answered<ShardFacts>, asked: Asked): Finding[] {
  const consequence = stream.aggregation ? '; nothing is aggregated' : '';
  if (!answer.ok) {
    const finding = failed('shards', 'warning', answer, asked);
    return [{ ...finding, seen: `${finding.seen}${consequence}` }];
  }
  const { open, covering } = answer.value;
  if (covering) return [{ check: 'shards', result: 'ok', seen: `${open} open, covering all hash keys` }];
  return [
    {
      check: 'shards',
      result: 'warning',
      cause: 'shards_gap',
      seen: `the ${open} open shards do not cover all hash keys without gap or overlap${consequence}`,
      cure: 'wait until the stream is ACTIVE: a reshard is under way; check again',
    },
  ];
}

function writeFindings(answer: Answered<'dry' | 'written'>, asked: Asked): Finding[] {
  if (!answer.ok) {
    // Throttled for this moment: events wait and go.
    const passing = answer.cause === 'throttled' || answer.cause === 'kms_throttled';
    return [failed('write', passing ? 'warning' : 'error', answer, asked)];
  }
  if (answer.value === 'dry') return [{ check: 'write', result: 'ok', seen: 'a dry run of PutRecords is accepted' }];
  return [
    {
      check: 'write',
      result: 'warning',
      cause: 'dry_run_unknown',
      seen: 'the endpoint does not know DryRun: it has taken the record "spillway check --live"',
      cure: 'nothing for Kinesis itself; update an emulator, and let its consumers pass over that record',
    },
  ];
}

function clockFindings({ clockAheadMs, clockRefused }: ProbeFacts): Finding[] {
  if (clockAheadMs === undefined) return [];
  const aheadMs = Math.round(clockAheadMs / 1000) * 1000;
  const apart = formatDuration(Math.abs(aheadMs));
  if (Math.abs(clockAheadMs) <= clockAheadMsMax && !clockRefused) {
    return [{ check: 'clock', result: 'ok', seen: aheadMs === 0 ? 'as there, to the second' : `${apart} apart` }];
  }
  const { cure } = failureCure('clock_skewed', { action: '', stream: '', region: '' });
  const seen = `${apart} ${aheadMs > 0 ? 'ahead' : 'behind'}${clockRefused ? '; AWS refuses signatures until they are corrected' : ''}`;
  return [{ check: 'clock', result: 'warning', cause: 'clock_skewed', seen, cure }];
}

function latencyFindings(stream: StreamConfig, writeMs: readonly number[]): Finding[] {
  if (writeMs.length < 2) return [];
  // The first one opens the connection.
  const warm = writeMs.slice(1).toSorted((a, b) => a - b);
  const medianMs = warm[warm.length >> 1] as number;
  const seen = `${medianMs.toFixed(1)} ms, the median of ${warm.length} dry runs`;
  if (medianMs < stream.requestTimeoutMs / 2) return [{ check: 'latency', result: 'ok', seen }];
  const cure = 'raise request_timeout, or deliver to a nearer region';
  return [{ check: 'latency', result: 'warning', cause: 'slow', seen, cure }];
}

function failed(
  check: Check,
  result: Result,
  { code, message, cause }: Extract<Answered<unknown>, { ok: false }>,
  asked: Asked,
): Finding {
  const detail = `${code}: ${message}`;
  if (cause === undefined) {
    const cure = `look ${code} up in the errors of ${asked.action}, and compare the stream's options`;
    return { check, result, cause: 'unknown', seen: detail, cure };
  }
  const { says, cure } = failureCure(cause, asked);
  const scope = failureScope(cause);
  // A stream's warning is for one question; what ends all of them is an error, whichever question met it.
  const all = scope === 'way' || scope === 'credentials';
  return { check: all ? scope : check, result: all ? 'error' : result, cause, seen: `${says} (${detail})`, cure };
}
