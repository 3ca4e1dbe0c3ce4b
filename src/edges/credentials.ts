/**
 * Where a stream's credentials come from, and when they are asked for again. Lane worker, and `check --live`; the client asks
 * before every request, so keeping them is done here.
 *
 * ```
 *   none ── asked ──▶ held ── five minutes before they expire ──▶ held, a new set is on its way
 *     ▲                │  └── AWS refuses them ──▶ doubted: the next request waits for a new set
 *     └── expired ─────┘
 * ```
 * The SDK's own keeping would hold static keys of a file for ever, and refused ones of a metadata service for as long as they
 * say that they are valid: a daemon must notice within seconds that there are better ones.
 */
import { createRequire } from 'node:module';
import { hostname } from 'node:os';
import type { AwsCredentialIdentity } from '@smithy/types';
import type { Clock } from './clock.ts';
import { failureCause, failureFacts, failureScope } from './failure-cures.ts';

const require = createRequire(import.meta.url);

/** Where to look. Plain data. */
export interface CredentialSource {
  readonly region: string;
  /** A section of the shared configuration and credentials files. */
  readonly profile?: string;
  readonly roleArn?: string;
  readonly externalId?: string;
}

/** What the SDK hands to a provider: the client's settings, so that STS is reached the same way as Kinesis. */
interface AskedBy {
  readonly callerClientConfig?: object;
}

type Load = (askedBy: AskedBy) => Promise<AwsCredentialIdentity>;

/** A provider as the SDK takes one; `memoized` tells it to keep nothing itself. */
export interface Provider {
  (askedBy?: AskedBy): Promise<AwsCredentialIdentity>;
  memoized: true;
}

/** New credentials are fetched so long before the old ones expire, as the SDK does it. */
const refreshBeforeMs = 5 * 60_000;
/** Between two attempts to get better ones while there are some. */
const againMs = 1_000;

/** The SDK would print warnings to the console. */
const silent = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

export class Credentials {
  readonly #load: Load;
  readonly #clock: Clock;
  /** Where those come from with which these are got. */
  readonly #below: Credentials | undefined;
  #held: AwsCredentialIdentity | undefined;
  #doubted = false;
  #attemptMs = Number.NEGATIVE_INFINITY;
  #loading: Promise<AwsCredentialIdentity> | undefined;

  constructor(load: Load, clock: Clock, below?: Credentials) {
    this.#load = load;
    this.#clock = clock;
    this.#below = below;
  }

  /** The credentials to sign with now. Rejects with what the sources said when there are none. */
  async get(askedBy: AskedBy): Promise<AwsCredentialIdentity> {
    const held = this.#held;
    const nowMs = this.#clock.nowMs();
    const leftMs = (held?.expiration?.getTime() ?? Number.POSITIVE_INFINITY) - nowMs;
    if (held === undefined || leftMs <= 0) return this.#fetch(askedBy);
    const mayAsk = this.#loading !== undefined || nowMs - this.#attemptMs >= againMs;
    if (this.#doubted && mayAsk) return this.#fetch(askedBy);
    // What is held is still good: a source that is away for a while is asked again, and nobody waits for it.
    if (leftMs < refreshBeforeMs && mayAsk) this.#fetch(askedBy).catch(() => {});
    return held;
  }

  /** AWS did not take them: ask again, even if they say that they are valid. */
  refused(): void {
    this.#doubted = true;
    this.#below?.refused();
  }

  #fetch(askedBy: AskedBy): Promise<AwsCredentialIdentity> {
    this.#loading ??= this.#fetchOnce(askedBy).finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  async #fetchOnce(askedBy: AskedBy): Promise<AwsCredentialIdentity> {
    this.#attemptMs = this.#clock.nowMs();
    this.#doubted = false;
    try {
      this.#held = await this.#load(askedBy);
      return this.#held;
    } catch (error) {
      const { code, message } = failureFacts(error);
      const cause = failureCause(code, message);
      if (cause !== undefined && failureScope(cause) === 'credentials') this.#below?.refused();
      throw error;
    }
  }
}

/** Those of `source`: of its role, got with those of its profile or of the SDK's chain. */
export function openCredentials(source: CredentialSource, clock: Clock): Credentials {
  const base = new Credentials(source.profile === undefined ? fromChain() : fromProfile(source.profile), clock);
  const { roleArn, externalId } = source;
  if (roleArn === undefined) return base;
  return new Credentials(fromRole(base, roleArn, externalId), clock, base);
}

/** `credentials` as the SDK's client takes them. */
export function providerOf(credentials: Credentials): Provider {
  return Object.assign((askedBy: AskedBy = {}) => credentials.get(askedBy), { memoized: true as const });
}

/** Environment, AWS_PROFILE, web identity, container, instance metadata: a new chain each time, for the SDK's would remember. */
function fromChain(): Load {
  const { defaultProvider } = require('@aws-sdk/credential-provider-node') as {
    readonly defaultProvider: (init: object) => Load;
  };
  return async (askedBy) => {
    try {
      return await defaultProvider(initOf(askedBy))(askedBy);
    } catch (error) {
      const profile = process.env['AWS_PROFILE'];
      if (profile === undefined || failureFacts(error).code !== 'CredentialsProviderError') throw error;
      // The chain has gone on to the end, and names only that.
      throw Object.assign(error as Error, { message: `could not find any, also not using profile: [${profile}]` });
    }
  };
}

/** That profile and nothing else: when it is missing, other credentials must not stand in for it. */
function fromProfile(profile: string): Load {
  const { fromIni } = require('@aws-sdk/credential-provider-ini') as { readonly fromIni: (init: object) => Load };
  return (askedBy) => fromIni({ profile, ...initOf(askedBy) })(askedBy);
}

/** Files are read anew, and STS and SSO reached as Kinesis is: through the same proxy, trusting the same authorities. */
function initOf({ callerClientConfig }: AskedBy): object {
  return { ignoreCache: true, logger: silent, parentClientConfig: callerClientConfig };
}

function fromRole(base: Credentials, roleArn: string, externalId: string | undefined): Load {
  const { getDefaultRoleAssumer } = require('@aws-sdk/nested-clients/sts') as {
    readonly getDefaultRoleAssumer: (
      options: object,
    ) => (credentials: AwsCredentialIdentity, request: object) => Promise<AwsCredentialIdentity>;
  };
  const request = { RoleArn: roleArn, RoleSessionName: sessionName(hostname()), ExternalId: externalId };
  let assume: ReturnType<typeof getDefaultRoleAssumer> | undefined;
  return async (askedBy) => {
    assume ??= getDefaultRoleAssumer({
      parentClientConfig: askedBy.callerClientConfig,
      credentialProviderLogger: silent,
    });
    const held = await base.get(askedBy);
    return assume(held, request).catch((error: unknown) => {
      // Says whose refusal or silence it is: not Kinesis'.
      if (error instanceof Error) error.message = `sts:AssumeRole of ${roleArn}: ${error.message}`;
      throw error;
    });
  };
}

/** What CloudTrail shows as the caller: of letters that a session's name may have, at most 64. */
function sessionName(host: string): string {
  return `spillway-${host.replaceAll(/[^\w+=,.@-]/g, '-')}`.slice(0, 64);
}
