/**
 * Asks Kinesis about one stream without leaving a trace: credentials, summary, shards, and a dry run of PutRecords. Called by
 * `check --live` on the main thread, which loads it when it is asked for; it uses the daemon's own client and judges nothing.
 */
import { createRequire } from 'node:module';
import { ShardRanges } from '../batch/shard-ranges.ts';
import { type FailureCause, failureCause, failureFacts, failureScope } from './failure-cures.ts';
import { listShards, placesByKey } from './kinesis.ts';
import { type Client, type KinesisTarget, openClient, streamNameOf } from './kinesis-client.ts';

const require = createRequire(import.meta.url);
const { DescribeStreamSummaryCommand, PutRecordsCommand } =
  require('@aws-sdk/client-kinesis') as typeof import('@aws-sdk/client-kinesis');

/** How a question ended. `cause` is undefined for a failure that the table does not know. */
export type Answered<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly code: string; readonly message: string; readonly cause: FailureCause | undefined };

/** Nothing in here is secret: of a key, only its public half's last four characters. */
export interface CredentialFacts {
  readonly provider: string;
  readonly key: string;
  readonly accountId: string | undefined;
  /** Milliseconds since the epoch; undefined: they do not expire. */
  readonly expiresMs: number | undefined;
}

export interface SummaryFacts {
  readonly arn: string;
  readonly status: string;
  readonly mode: string;
  /** As StreamSummary of edges/kinesis.ts. */
  readonly placesByKey: boolean | undefined;
  /** Undefined: not told. */
  readonly recordBytesMax: number | undefined;
  readonly openShards: number;
  readonly encryption: string;
  readonly keyId: string | undefined;
}

export interface ShardFacts {
  readonly open: number;
  /** Whether they cover all hash keys, without gap or overlap. */
  readonly covering: boolean;
}

/** What was learnt. A question that could not be put after an earlier one failed is undefined. */
export interface ProbeFacts {
  readonly credentials: Answered<CredentialFacts>;
  readonly summary?: Answered<SummaryFacts>;
  readonly shards?: Answered<ShardFacts>;
  /** `written`: the endpoint does not know DryRun, and has taken the record. */
  readonly write?: Answered<'dry' | 'written'>;
  /** How far this machine's clock is ahead, to the second; undefined: no answer told the time. */
  readonly clockAheadMs?: number | undefined;
  /** True when the first answer refused the time of the signature, and a corrected one was taken. */
  readonly clockRefused: boolean;
  /** How long each answer to the dry runs took. */
  readonly writeMs: readonly number[];
}

/** Dry runs beside the first: enough for a median. */
const furtherWrites = 4;

const probeData = Buffer.from('spillway check --live');

/** Words for what the SDK says of where credentials come from; the first that applies. Of instance metadata it says nothing. */
const providers: readonly (readonly [feature: string, words: string])[] = [
  ['CREDENTIALS_STS_ASSUME_ROLE_WEB_ID', 'a web identity token'],
  ['CREDENTIALS_STS_ASSUME_ROLE', 'an assumed role'],
  ['CREDENTIALS_SSO', 'IAM Identity Center (SSO)'],
  ['CREDENTIALS_PROFILE_SSO', 'IAM Identity Center (SSO)'],
  ['CREDENTIALS_SSO_LEGACY', 'IAM Identity Center (SSO)'],
  ['CREDENTIALS_PROCESS', 'a credential process'],
  ['CREDENTIALS_HTTP', 'the container'],
  ['CREDENTIALS_ENV_VARS', 'the environment'],
  ['CREDENTIALS_PROFILE', 'a profile'],
  ['CREDENTIALS_CODE', 'the simulator inside'],
];

/** Puts all questions, within `timeoutMs` together. Never rejects for what the outside does. */
export async function probeStream(target: KinesisTarget, timeoutMs: number): Promise<ProbeFacts> {
  const client = openClient(target);
  const probe = new Probe(client, target, timeoutMs);
  try {
    return await probe.run();
  } finally {
    probe.end();
    client.destroy();
  }
}

class Probe {
  readonly #client: Client;
  readonly #target: KinesisTarget;
  readonly #abort = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #late: Promise<never>;
  #clockAheadMs: number | undefined;
  #clockRefused = false;

  constructor(client: Client, target: KinesisTarget, timeoutMs: number) {
    this.#client = client;
    this.#target = target;
    let giveUp = (_error: Error): void => {};
    this.#late = new Promise<never>((_, reject) => {
      giveUp = reject;
    });
    // Nobody may be waiting when the time is over.
    this.#late.catch(() => {});
    this.#timer = setTimeout(() => {
      giveUp(Object.assign(new Error(`no answer within ${timeoutMs} ms`), { name: 'live_timeout' }));
      this.#abort.abort();
    }, timeoutMs);
    client.middlewareStack.add(
      (next) => async (args) => {
        const result = await next(args);
        this.#tellTime((result.response as { headers?: Record<string, string> }).headers?.['date']);
        return result;
      },
      { step: 'deserialize', priority: 'low', name: 'tellTime' },
    );
  }

  end(): void {
    clearTimeout(this.#timer);
  }

  async run(): Promise<ProbeFacts> {
    const credentials = await this.#ask(() => this.#credentials());
    const writeMs: number[] = [];
    const facts = { credentials, clockRefused: false, writeMs };
    if (!credentials.ok) return facts;
    const summary = await this.#askTwice(() => this.#summary());
    const told = () => ({ clockAheadMs: this.#clockAheadMs, clockRefused: this.#clockRefused });
    if (endsAll(summary)) return { ...facts, summary, ...told() };
    const shards = await this.#ask(() => this.#shards());
    if (endsAll(shards)) return { ...facts, summary, shards, ...told() };
    const write = await this.#ask(() => this.#write(writeMs));
    for (let i = 0; i < furtherWrites && write.ok && write.value === 'dry'; i++) {
      await this.#ask(() => this.#write(writeMs));
    }
    return { ...facts, summary, shards, write, ...told() };
  }

  async #ask<Value>(question: () => Promise<Value>): Promise<Answered<Value>> {
    try {
      return { ok: true, value: await Promise.race([question(), this.#late]) };
    } catch (error) {
      const { code, message } = failureFacts(error);
      return { ok: false, code, message, cause: failureCause(code, message) };
    }
  }

  /** The SDK learns from an answer how wrong the clock is, and signs the next request by the corrected time, as in the daemon. */
  async #askTwice<Value>(question: () => Promise<Value>): Promise<Answered<Value>> {
    const first = await this.#ask(question);
    if (first.ok || first.cause !== 'clock_skewed') return first;
    this.#clockRefused = true;
    return this.#ask(question);
  }

  async #credentials(): Promise<CredentialFacts> {
    const found = await this.#client.config.credentials();
    const { $source = {} } = found as { readonly $source?: Readonly<Record<string, string>> };
    const words = providers.find(([feature]) => feature in $source)?.[1];
    return {
      provider: words ?? 'instance metadata',
      key: `${found.accessKeyId.slice(0, 4)}...${found.accessKeyId.slice(-4)}`,
      accountId: found.accountId,
      expiresMs: found.expiration?.getTime(),
    };
  }

  async #summary(): Promise<SummaryFacts> {
    const question = new DescribeStreamSummaryCommand(streamNameOf(this.#target));
    const answer = await this.#client.send(question, { abortSignal: this.#abort.signal });
    const summary = answer.StreamDescriptionSummary;
    if (summary === undefined) throw Object.assign(new Error('an answer without a summary'), { name: 'UnknownError' });
    const kibibytes = summary.MaxRecordSizeInKiB;
    return {
      arn: summary.StreamARN ?? '',
      status: summary.StreamStatus ?? '',
      mode: summary.StreamModeDetails?.StreamMode ?? '',
      placesByKey: placesByKey(summary.RecordDistributionStrategy, summary.StreamModeDetails?.StreamMode),
      recordBytesMax: kibibytes === undefined ? undefined : kibibytes * 1024,
      openShards: summary.OpenShardCount ?? 0,
      encryption: summary.EncryptionType ?? 'NONE',
      keyId: summary.KeyId,
    };
  }

  async #shards(): Promise<ShardFacts> {
    const shards = await listShards(this.#client, this.#target, false, { abortSignal: this.#abort.signal });
    return { open: shards.length, covering: ShardRanges.of(1, shards) !== undefined };
  }

  async #write(tookMs: number[]): Promise<'dry' | 'written'> {
    const startMs = performance.now();
    const dryRun = new PutRecordsCommand({
      ...streamNameOf(this.#target),
      Records: [{ PartitionKey: 'spillway-check', Data: probeData }],
      DryRun: true,
    });
    try {
      const answer = await this.#client.send(dryRun, { abortSignal: this.#abort.signal });
      const failed = answer.Records?.[0]?.ErrorCode;
      if (failed) throw Object.assign(new Error(answer.Records?.[0]?.ErrorMessage ?? failed), { name: failed });
      return 'written';
    } catch (error) {
      // This is how Kinesis says that it would have taken the record.
      if (!(error instanceof Error) || error.name !== 'DryRunOperationException') throw error;
      return 'dry';
    } finally {
      tookMs.push(performance.now() - startMs);
    }
  }

  #tellTime(date: string | undefined): void {
    const thereMs = Date.parse(date ?? '');
    // The header has whole seconds: half of one is what the middle of it is off.
    if (!Number.isNaN(thereMs)) this.#clockAheadMs = Date.now() - (thereMs + 500);
  }
}

/** Whether what failed would fail every further question about this stream too. */
function endsAll(answer: Answered<unknown>): boolean {
  return !answer.ok && answer.cause !== undefined && failureScope(answer.cause) !== 'action';
}
