/**
 * What can stand between spillway and Kinesis: each cause with one sentence and its cure. Any thread; pure. `check --live` tells
 * from here what it found, the daemon what a failed request means; a failure that is not in the table is shown as it came.
 */

/** The request that failed, as far as sentences and cures speak of it. */
export interface Asked {
  /** The IAM action: "kinesis:PutRecords". */
  readonly action: string;
  /** Name or ARN. */
  readonly stream: string;
  readonly region: string;
  /** URL of the endpoint; absent: the region's own. */
  readonly endpoint?: string | undefined;
  readonly proxy?: string | undefined;
}

/** What else fails with it: `way` and `credentials`: every request; `stream`: every one of this stream; `action`: this one alone. */
type Scope = 'way' | 'credentials' | 'stream' | 'action';

interface Row {
  readonly scope: Scope;
  readonly says: (asked: Asked) => string;
  readonly cure: (asked: Asked) => string;
  /** Error names of AWS and codes of Node that mean it, whatever the message. */
  readonly codes?: string;
}

const place = ({ endpoint, region }: Asked): string => endpoint ?? `the Kinesis endpoint of ${region}`;
/** Without the password that its URL may hold. */
const through = ({ proxy }: Asked): string =>
  proxy === undefined ? 'the proxy of HTTPS_PROXY' : `the proxy ${new URL(proxy).host}`;
const caFile = 'set ca_file of the stream to a PEM file with the authority that signed it';

// biome-ignore format: a table
const rows = {
  no_credentials: { scope: 'credentials', codes: 'CredentialsProviderError',
    says: () => 'there are no credentials: neither environment, profile, web identity, container nor instance metadata gave any',
    cure: () => 'give the instance or container a role, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, in the environment of the service' },
  profile_missing: { scope: 'credentials',
    says: () => 'the profile is in neither the configuration nor the credentials file',
    cure: () => 'correct profile (or AWS_PROFILE), or name the files with AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE: a service has no home directory' },
  credentials_expired: { scope: 'credentials', codes: 'ExpiredTokenException ExpiredToken RequestExpired TokenRefreshRequired',
    says: () => 'the credentials have expired',
    cure: () => 'renew them where they come from (aws sso login, the profile file, the session token in the environment); a role of the instance renews itself' },
  role_denied: { scope: 'credentials',
    says: () => 'the role cannot be assumed',
    cure: () => 'allow sts:AssumeRole on role_arn to the caller, name the caller in the trust policy of the role, and compare external_id' },
  unknown_key: { scope: 'credentials', codes: 'UnrecognizedClientException InvalidClientTokenId InvalidAccessKeyId MissingAuthenticationTokenException MissingAuthenticationToken',
    says: () => 'AWS does not know the access key: it was deleted, deactivated, mistyped, or its session token is missing',
    cure: () => 'replace the key (with AWS_SESSION_TOKEN where the key begins with ASIA), and see that its account has the region enabled' },
  wrong_signature: { scope: 'credentials', codes: 'InvalidSignatureException SignatureDoesNotMatch IncompleteSignatureException IncompleteSignature',
    says: () => 'the signature is wrong: the secret key does not belong to the access key, or the endpoint belongs to another region',
    cure: ({ region }) => `correct AWS_SECRET_ACCESS_KEY (no spaces, no line end), and compare endpoint with region = "${region}"` },
  clock_skewed: { scope: 'way', codes: 'RequestTimeTooSkewed RequestInTheFuture',
    says: () => 'the clock of this machine is wrong, so that AWS refuses its signatures',
    cure: () => 'set the clock by NTP: timedatectl set-ntp true, or chronyc makestep' },
  access_denied: { scope: 'action', codes: 'AccessDeniedException AccessDenied NotAuthorized',
    says: ({ action, stream }) => `${action} on ${stream} is not allowed`,
    cure: ({ action, stream }) => `allow the IAM action ${action} on ${stream} in the policy of the role or user, and look for a deny in the stream's policy, a VPC endpoint's policy or an SCP` },
  account_unusable: { scope: 'credentials', codes: 'OptInRequired SubscriptionRequiredException AccountProblem',
    says: () => 'the account may not use Kinesis',
    cure: ({ region }) => `have the account activated, and ${region} enabled in it` },
  stream_missing: { scope: 'stream', codes: 'ResourceNotFoundException',
    says: ({ stream, region }) => `there is no stream ${stream} in ${region} for this account`,
    cure: ({ stream }) => `correct stream_name, region or endpoint, name another account's stream by stream_arn, or create it: aws kinesis create-stream --stream-name ${stream.replace(/^.*\//, '')}` },
  stream_busy: { scope: 'stream', codes: 'ResourceInUseException',
    says: ({ stream }) => `the stream ${stream} is not active: it is being created or deleted`,
    cure: () => 'wait until aws kinesis describe-stream-summary says ACTIVE; create a deleted stream anew' },
  kms_disabled: { scope: 'action', codes: 'KMSDisabledException KMSInvalidStateException',
    says: () => "the KMS key that encrypts the stream is disabled or about to be deleted",
    cure: () => 'enable the key (aws kms enable-key, or cancel-key-deletion first), or encrypt the stream with another' },
  kms_denied: { scope: 'action', codes: 'KMSAccessDeniedException',
    says: () => 'the KMS key that encrypts the stream may not be used',
    cure: () => "allow kms:GenerateDataKey on the stream's key to the role or user, in its policy and in the policy of the key" },
  kms_missing: { scope: 'action', codes: 'KMSNotFoundException KMSOptInRequired',
    says: () => 'the KMS key that encrypts the stream is not there',
    cure: () => 'encrypt the stream with a key that exists: aws kinesis start-stream-encryption' },
  kms_throttled: { scope: 'action', codes: 'KMSThrottlingException',
    says: () => 'KMS throttles the key that encrypts the stream',
    cure: () => "raise the account's KMS request quota, or spread streams over keys; events wait meanwhile" },
  throttled: { scope: 'action', codes: 'ProvisionedThroughputExceededException LimitExceededException ThrottlingException Throttling ThrottledException TooManyRequestsException RequestLimitExceeded',
    says: ({ action }) => `Kinesis throttles ${action}`,
    cure: () => 'add shards (aws kinesis update-shard-count) or switch the stream to on-demand; events wait meanwhile' },
  request_refused: { scope: 'action', codes: 'ValidationException InvalidArgumentException SerializationException',
    says: ({ action }) => `Kinesis does not accept the request (${action})`,
    cure: () => 'compare stream_name, stream_arn and record_bytes_max with the stream; the message says which' },
  not_kinesis: { scope: 'way', codes: 'UnknownOperationException SyntaxError UnknownError NotFound HPE_INVALID_CONSTANT HPE_INVALID_HEADER_TOKEN',
    says: (asked) => `${place(asked)} answers, but is not Kinesis`,
    cure: () => 'correct endpoint, or remove it so that the endpoint of the region is used; a proxy or a login page may also answer in its place' },
  service_error: { scope: 'way', codes: 'InternalFailure InternalFailureException InternalServerError InternalServiceError ServiceUnavailable ServiceUnavailableException',
    says: (asked) => `${place(asked)} fails by itself`,
    cure: () => 'look at the AWS Health Dashboard; events wait and are delivered when it has recovered' },
  no_dns: { scope: 'way', codes: 'ENOTFOUND EAI_AGAIN EAI_FAIL EAI_NODATA EAI_NONAME',
    says: (asked) => `the name of ${place(asked)} cannot be resolved`,
    cure: ({ region }) => `correct region = "${region}" or endpoint, and see that a name server answers: getent hosts kinesis.${region}.amazonaws.com` },
  refused: { scope: 'way', codes: 'ECONNREFUSED',
    says: (asked) => `nothing listens at ${place(asked)}`,
    cure: () => 'correct host and port of endpoint, or start what should listen there; a firewall may also refuse' },
  no_route: { scope: 'way', codes: 'EHOSTUNREACH ENETUNREACH ENETDOWN EHOSTDOWN EADDRNOTAVAIL EACCES EPERM',
    says: (asked) => `there is no way to ${place(asked)}`,
    cure: () => 'give the host a route (NAT gateway, or a VPC endpoint for kinesis-streams) or a proxy, and look at its firewall' },
  timeout: { scope: 'way', codes: 'TimeoutError ETIMEDOUT ESOCKETTIMEDOUT AbortError live_timeout',
    says: (asked) => `${place(asked)} does not answer in time`,
    cure: () => 'look at security groups, network ACLs and routes for port 443 (a dropped packet has no answer), or set proxy' },
  reset: { scope: 'way', codes: 'ECONNRESET EPIPE ERR_STREAM_PREMATURE_CLOSE ERR_HTTP2_STREAM_ERROR',
    says: (asked) => `${place(asked)} breaks the connection`,
    cure: () => 'look for a firewall or proxy between that ends connections, and whether endpoint wants https://' },
  tls_unknown_ca: { scope: 'way', codes: 'UNABLE_TO_GET_ISSUER_CERT UNABLE_TO_GET_ISSUER_CERT_LOCALLY UNABLE_TO_VERIFY_LEAF_SIGNATURE SELF_SIGNED_CERT_IN_CHAIN DEPTH_ZERO_SELF_SIGNED_CERT CERT_SIGNATURE_FAILURE CERT_UNTRUSTED INVALID_CA',
    says: (asked) => `the certificate of ${place(asked)} is signed by an authority that is not trusted here`,
    cure: () => `${caFile}; if a proxy opens TLS, that is the proxy's authority` },
  tls_expired: { scope: 'way', codes: 'CERT_HAS_EXPIRED CERT_NOT_YET_VALID',
    says: (asked) => `the certificate of ${place(asked)} is not valid at this time`,
    cure: () => 'renew the certificate, or set the clock of this machine' },
  tls_wrong_name: { scope: 'way', codes: 'ERR_TLS_CERT_ALTNAME_INVALID HOSTNAME_MISMATCH',
    says: (asked) => `the certificate of ${place(asked)} is for another name`,
    cure: () => 'write endpoint with a name that is in the certificate' },
  tls_failed: { scope: 'way', codes: 'EPROTO ERR_SSL_WRONG_VERSION_NUMBER ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION ERR_TLS_CERT_ALTNAME_FORMAT CERT_REVOKED CERT_CHAIN_TOO_LONG',
    says: (asked) => `no TLS connection comes about with ${place(asked)}`,
    cure: () => 'write endpoint with http:// if it speaks no TLS; else compare TLS versions on both sides' },
  proxy_refuses: { scope: 'way', codes: 'proxy_refuses',
    says: (asked) => `${through(asked)} does not let the connection through`,
    cure: (asked) => `allow CONNECT to ${place(asked)} on the proxy, put user and password into its URL if it asks for them, or add the host to NO_PROXY` },
  proxy_unreachable: { scope: 'way', codes: 'proxy_unreachable',
    says: (asked) => `${through(asked)} cannot be reached`,
    cure: () => 'correct proxy of the stream (or HTTPS_PROXY), or remove it' },
} as const satisfies Readonly<Record<string, Row>>;

export type FailureCause = keyof typeof rows;

const byCode = new Map<string, FailureCause>(
  (Object.entries(rows) as [FailureCause, Row][]).flatMap(([cause, { codes = '' }]) =>
    codes.split(' ').map((code) => [code, cause] as const),
  ),
);

/**
 * The cause behind an error's name or code and its message; undefined: not in the table. Some names mean several things, which
 * only AWS' message tells apart.
 */
export function failureCause(code: string, message: string): FailureCause | undefined {
  const cause = byCode.get(code);
  switch (cause) {
    case 'no_credentials':
      if (/expired/i.test(message)) return 'credentials_expired';
      return /using profile|profile .* (could not|not) be found/i.test(message) ? 'profile_missing' : cause;
    case 'wrong_signature':
    case 'credentials_expired':
      return /signature expired|signature not yet current|too skewed/i.test(message) ? 'clock_skewed' : cause;
    case 'timeout':
      // Where only the SDK's name is left, which it also gives to a connection that broke.
      return /ECONNRESET|EPIPE|hang up/.test(message) ? 'reset' : cause;
    case 'access_denied':
      return /sts:AssumeRole/i.test(message) ? 'role_denied' : cause;
    default:
      return cause;
  }
}

/** Name (or code) and message of whatever was thrown: the two things that {@link failureCause} judges by. */
export function failureFacts(error: unknown): { readonly code: string; readonly message: string } {
  if (!(error instanceof Error)) return { code: 'unknown', message: String(error) };
  const { code } = error as NodeJS.ErrnoException;
  const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
  // Answers without an error of AWS' in them: the SDK can only call them unknown.
  const named = ['Error', 'UnknownError', 'Unknown'].includes(error.name) && status !== undefined;
  if (named && status >= 500) return { code: 'InternalFailure', message: error.message || `status ${status}` };
  // The SDK calls a broken connection a TimeoutError too: Node's own code, where there is one, says more.
  const coded = typeof code === 'string' && (byCode.has(code) || !byCode.has(error.name));
  // One address after another was tried: the last failure speaks for all.
  const inner = error instanceof AggregateError ? (error.errors.at(-1) as Error | undefined)?.message : undefined;
  return { code: coded ? code : error.name, message: error.message || (inner ?? '') };
}

/** What happened, in one sentence without a full stop, and what to do about it. */
export function failureCure(cause: FailureCause, asked: Asked): { readonly says: string; readonly cure: string } {
  const row: Row = rows[cause];
  return { says: row.says(asked), cure: row.cure(asked) };
}

export function failureScope(cause: FailureCause): Scope {
  return rows[cause].scope;
}

/** Every cause of the table, for whoever walks it. */
export const failureCauses = Object.keys(rows) as readonly FailureCause[];
