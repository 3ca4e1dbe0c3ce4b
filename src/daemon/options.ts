/**
 * The one table of all options. Main thread; imported by the config loader, `check`, and the JSON Schema writer.
 *
 * From it come: validation and the words of its mistakes, the types of {@link Config}, the environment variables, the JSON
 * Schema of the package, and the table in the README. A new option is one row here and a place that reads it.
 */

import { measureNames } from '../alerts/measures.ts';
import { aggregateBytesMax, eventBytesMax, lanesMax, requestBytesMax, requestRecordsMax } from '../base/limits.ts';
import type { Option, Values } from './kinds.ts';

type Section = Readonly<Record<string, Option>>;

// biome-ignore format: an option per line or two, so that the table reads as a table
export const daemonOptions = {
  state_dir: { name: 'stateDir', kind: 'path', default: '/var/lib/spillway',
    about: 'Directory of the journal and the DLQ.' },
  lanes: { name: 'lanes', kind: 'number', default: 0, least: 0, most: lanesMax,
    about: 'Lane workers; 0: chosen from the cores and from memory_budget.' },
  memory_budget: { name: 'memoryBudgetBytes', kind: 'size', default: '256MiB', least: '32MiB', most: '64GiB',
    about: 'Rings and requests in flight; each lane gets an equal share as its ring.' },
  drain_timeout: { name: 'drainTimeoutMs', kind: 'duration', default: '10s', least: '100ms', most: '10m', reload: true,
    about: 'How long a stop may deliver before it writes the rest to the DLQ.' },
} as const satisfies Section;

// biome-ignore format: an option per line or two, so that the table reads as a table
export const streamOptions = {
  name: { name: 'name', kind: 'string', required: true, pattern: '^[a-zA-Z0-9_.-]{1,128}$', form: '1 to 128 of a-z A-Z 0-9 _ . -',
    about: 'What senders call the stream.' },
  stream_name: { name: 'streamName', kind: 'string', pattern: '^[a-zA-Z0-9_.-]{1,128}$', form: '1 to 128 of a-z A-Z 0-9 _ . -',
    about: "Kinesis' name of the stream; absent: from stream_arn, else the same as name." },
  stream_arn: { name: 'streamArn', kind: 'string', pattern: '^arn:aws[a-z-]*:kinesis:[a-z0-9-]+:[0-9]{12}:stream/[a-zA-Z0-9_.-]{1,128}$',
    form: '"arn:aws:kinesis:eu-west-1:123456789012:stream/orders"',
    about: 'The stream as an ARN, for instance of another account; gives region and stream_name.' },
  region: { name: 'region', kind: 'string', pattern: '^[a-z]{2,}(-[a-z]+)+-[0-9]+$', form: 'like "eu-west-1"',
    about: 'AWS region; absent: from stream_arn, else AWS_REGION.' },
  endpoint: { name: 'endpoint', kind: 'url',
    about: "URL of the Kinesis API; absent: the region's own." },
  ca_file: { name: 'caFile', kind: 'path',
    about: "PEM file of certificates that are trusted for the endpoint, beside Node's own." },
  proxy: { name: 'proxy', kind: 'string', pattern: '^https?://[^/?#\\s]+/?$', form: 'like "http://proxy.internal:3128", with user:password@ where the proxy asks for them',
    about: 'Proxy to Kinesis and STS; absent: HTTPS_PROXY and NO_PROXY of the environment.' },
  profile: { name: 'profile', kind: 'string', pattern: '^[^\\[\\]\\s]+$', form: 'the name of a profile',
    about: "Profile of the AWS configuration and credentials files; absent: the SDK's chain, with AWS_PROFILE." },
  role_arn: { name: 'roleArn', kind: 'string', pattern: '^arn:aws[a-z-]*:iam::[0-9]{12}:role/[a-zA-Z0-9+=,.@_/-]{1,512}$',
    form: '"arn:aws:iam::123456789012:role/spillway"',
    about: 'Role that is assumed for this stream, as session spillway-HOST.' },
  external_id: { name: 'externalId', kind: 'string', secret: true, pattern: '^[a-zA-Z0-9_+=,.@:/-]{2,1224}$', form: '2 to 1224 of a-z A-Z 0-9 _ + = , . @ : / -',
    about: 'External ID that the trust policy of role_arn asks for.' },
  wire: { name: 'wire', kind: 'choice', choices: ['json', 'cbor'], default: 'json',
    about: 'Encoding of requests.' },
  aggregation: { name: 'aggregation', kind: 'boolean', default: true,
    about: 'Packs events into KPL aggregates; consumers must unpack them, as KCL does.' },
  aggregate_bytes: { name: 'aggregateBytes', kind: 'size', default: '256KiB', least: '1KiB', most: aggregateBytesMax,
    about: 'An aggregate is closed at this size.' },
  batch_bytes: { name: 'batchBytes', kind: 'size', default: '8MiB', least: '64KiB', most: requestBytesMax,
    about: 'A request is sent at this size; several streams share 8MiB, each at least record_bytes_max.' },
  batch_records: { name: 'batchRecords', kind: 'number', default: requestRecordsMax, least: 1, most: requestRecordsMax,
    about: 'A request is sent at this many records.' },
  record_bytes_max: { name: 'recordBytesMax', kind: 'size', default: '1MiB', least: '1KiB', most: eventBytesMax,
    about: "Largest event, data and key; the stream's own limit holds too once it is known." },
  requests_in_flight: { name: 'requestsInFlight', kind: 'number', default: 4, least: 1, most: 64,
    about: 'Unanswered requests of one lane.' },
  request_timeout: { name: 'requestTimeoutMs', kind: 'duration', default: '6s', least: '100ms', most: '5m',
    about: 'A request without an answer is given up and tried again after this.' },
  connect_timeout: { name: 'connectTimeoutMs', kind: 'duration', default: '3s', least: '50ms', most: '1m',
    about: 'A connection that is not established by then counts as failed.' },
  linger: { name: 'lingerMs', kind: 'duration', default: '100ms', least: '0', most: '1m', reload: true,
    about: 'How long a batch may wait for company; "0": not at all.' },
  deadline: { name: 'deadlineMs', kind: 'duration', default: '30s', least: '100ms', most: '24h', reload: true,
    about: 'An event that is not delivered by then leaves the ring for the DLQ, to be replayed.' },
  ordering: { name: 'ordering', kind: 'choice', choices: ['none', 'key'], default: 'none',
    about: 'Whether the events of one partition key keep the order in which they came.' },
  overflow: { name: 'overflow', kind: 'choice', choices: ['spill', 'refuse', 'block'], default: 'spill',
    about: 'What happens to an event while a breaker is open or a ring is full.' },
} as const satisfies Section;

// biome-ignore format: an option per line or two, so that the table reads as a table
export const listenOptions = {
  kind: { name: 'kind', kind: 'choice', choices: ['unix', 'http', 'stdin'], required: true, unoffered: ['kinesis'],
    about: 'What senders speak.' },
  path: { name: 'path', kind: 'path', takes: ['unix'],
    about: 'The socket; at most 107 bytes. Needed.' },
  mode: { name: 'mode', kind: 'mode', default: '0660', takes: ['unix'],
    about: 'Permissions of the socket.' },
  address: { name: 'address', kind: 'address', takes: ['http'],
    about: 'Host and port, like "127.0.0.1:7070" or "[::1]:7070"; port 0: any free one. Beyond this host only with TLS, and with token_file or client_ca_file. Needed.' },
  cert_file: { name: 'certFile', kind: 'string', takes: ['http'], pattern: '^(/[^\\0]+|credential:[a-zA-Z0-9_.-]{1,255})$', form: 'an absolute path, or "credential:NAME" for one of systemd',
    about: 'PEM file of the certificate, with those between it and its authority: TLS is spoken; absent: plain HTTP. Read again at SIGHUP.' },
  key_file: { name: 'keyFile', kind: 'string', secret: true, takes: ['http'], pattern: '^(/[^\\0]+|credential:[a-zA-Z0-9_.-]{1,255})$', form: 'an absolute path, or "credential:NAME" for one of systemd',
    about: 'PEM file of its private key, readable by its owner alone. Read again at SIGHUP.' },
  token_file: { name: 'tokenFile', kind: 'string', secret: true, takes: ['http'], pattern: '^(/[^\\0]+|credential:[a-zA-Z0-9_.-]{1,255})$', form: 'an absolute path, or "credential:NAME" for one of systemd',
    about: 'File of bearer tokens, one a line, readable by its owner alone: who sends none of them gets 401; absent: none is asked for. Read again at SIGHUP.' },
  client_ca_file: { name: 'clientCaFile', kind: 'string', takes: ['http'], pattern: '^(/[^\\0]+|credential:[a-zA-Z0-9_.-]{1,255})$', form: 'an absolute path, or "credential:NAME" for one of systemd',
    about: 'PEM file of authorities: clients must show a certificate of one of them; absent: none is asked for. Read again at SIGHUP.' },
  stream: { name: 'stream', kind: 'string', pattern: '^[a-zA-Z0-9_.-]{1,128}$', form: 'the name of a [[stream]]',
    about: 'Stream of events that name none; absent: the only [[stream]].' },
  ack: { name: 'ack', kind: 'choice', choices: ['memory', 'disk', 'stream'], default: 'memory', takes: ['unix', 'http'],
    about: 'What an acknowledgement promises, unless the sender asks otherwise.' },
  ack_timeout: { name: 'ackTimeoutMs', kind: 'duration', default: '30s', least: '10ms', most: '10m', takes: ['http'], reload: true,
    about: 'How long a request of ack level "stream" or "disk" waits; then it is told how far its events are.' },
  key_field: { name: 'keyField', kind: 'string', pattern: '^[^.]+([.][^.]+)*$', form: 'a field name, or names joined by dots: "user.id"',
    about: 'Field of JSON events that is the partition key; absent: as sent, else random.' },
  missing_key: { name: 'missingKey', kind: 'choice', choices: ['random', 'refuse'], default: 'random',
    about: 'What happens to an event without its key field.' },
  connections_max: { name: 'connectionsMax', kind: 'number', default: 1024, least: 1, most: 65_536, takes: ['unix', 'http'], reload: true,
    about: 'Connections at one time; further ones are closed at once.' },
  idle_timeout: { name: 'idleTimeoutMs', kind: 'duration', default: '5m', least: '0', most: '24h', takes: ['unix', 'http'], reload: true,
    about: 'A connection that is silent for this long is closed; "0": never.' },
  stall_timeout: { name: 'stallTimeoutMs', kind: 'duration', default: '8s', least: '0', most: '1h', takes: ['unix', 'http'], reload: true,
    about: 'An event that has begun and is not whole after this, or a request that brings less than 1 KiB in it, ends its connection; "0": never.' },
  let_go_after: { name: 'letGoAfterMs', kind: 'duration', default: '0', least: '0', most: '1h', takes: ['unix', 'http'], reload: true,
    about: 'A connection of whose events some were refused for want of room, read after read for so long, is closed; "0": none is.' },
  body_bytes_max: { name: 'bodyBytesMax', kind: 'size', default: '16MiB', least: '64KiB', most: '64MiB', takes: ['http'],
    about: 'Largest request body.' },
  frame_bytes_max: { name: 'frameBytesMax', kind: 'size', default: '2MiB', least: '1KiB', most: '12MiB',
    about: 'Longest line or binary frame.' },
} as const satisfies Section;

// biome-ignore format: an option per line or two, so that the table reads as a table
export const breakerOptions = {
  open_at: { name: 'openAt', kind: 'share', default: 0.9, least: 0.05, most: 1, reload: true,
    about: "A lane's breaker opens when this share of its ring is full." },
  close_at: { name: 'closeAt', kind: 'share', default: 0.6, least: 0, most: 0.95, reload: true,
    about: 'It closes when the ring has drained to this share and nothing is turned away any more.' },
  open_after: { name: 'openAfterMs', kind: 'duration', default: '1s', least: '10ms', most: '1h', reload: true,
    about: 'It also opens when the oldest event in the ring has waited this long, or the newest will; an open ring is filled as far as three quarters of it.' },
  failures: { name: 'failures', kind: 'number', default: 5, least: 1, most: 1000, reload: true,
    about: "A stream's breaker opens after this many failed requests in a row." },
  half_open_after: { name: 'halfOpenAfterMs', kind: 'duration', default: '500ms', least: '10ms', most: '10m', reload: true,
    about: "An open stream's breaker lets one request try again after this." },
} as const satisfies Section;

// biome-ignore format: an option per line or two, so that the table reads as a table
export const dlqOptions = {
  max_bytes: { name: 'maxBytes', kind: 'size', default: '10GiB', least: '1MiB', most: '8192GiB', reload: true,
    about: 'Disk that the DLQ may take; beyond it events are refused.' },
  segment_bytes: { name: 'segmentBytes', kind: 'size', default: '64MiB', least: '64KiB', most: '1GiB',
    about: 'Size of one segment file; space is given back a segment at a time.' },
  reserve_bytes: { name: 'reserveBytes', kind: 'size', default: '16MiB', least: 0, most: '1GiB',
    about: 'Disk kept back for a full disk, within max_bytes (at most a sixteenth of it): it takes what was accepted before, dead letters, checkpoints.' },
  when_full: { name: 'whenFull', kind: 'choice', choices: ['refuse', 'drop-oldest'], default: 'refuse', reload: true,
    about: 'At max_bytes: refuse what must be spilled, or drop the oldest spills, a segment at a time, never dead letters.' },
  max_age: { name: 'maxAgeMs', kind: 'duration', least: '1s', most: '8760h', reload: true,
    about: 'Spills and dead letters that were first seen longer ago are dropped, and counted; absent: none are.' },
  fsync: { name: 'fsync', kind: 'pace', words: ['each', 'none'], default: '200ms', least: '1ms', most: '1m', bytesLeast: '64KiB', bytesMost: '1GiB',
    about: 'When spilled events are forced to the disk: an interval, after so many bytes ("8MiB"), "each" write, or "none".' },
  encryption_key: { name: 'encryptionKey', kind: 'string', secret: true, pattern: '^(/[^\\0]+|credential:[a-zA-Z0-9_.-]{1,255})$',
    form: 'an absolute path, or "credential:NAME" for one of systemd',
    about: 'File with a key of 32 bytes (raw, hex or base64), readable by its owner alone: segments of DLQ and journal are encrypted with it; absent: none are.' },
  old_encryption_key: { name: 'oldEncryptionKey', kind: 'string', secret: true, pattern: '^(/[^\\0]+|credential:[a-zA-Z0-9_.-]{1,255})$',
    form: 'an absolute path, or "credential:NAME" for one of systemd',
    about: 'Key of segments that an earlier configuration has encrypted: they are read, and none are made with it.' },
  replay_share: { name: 'replayShare', kind: 'share', default: 0.5, least: 0.01, most: 0.95,
    about: 'Share of a ring that replayed events may fill.' },
} as const satisfies Section;

// biome-ignore format: an option per line or two, so that the table reads as a table
export const logOptions = {
  level: { name: 'level', kind: 'choice', choices: ['debug', 'info', 'warn', 'error'], default: 'info', reload: true,
    about: 'Lines below this level are not written.' },
  interval: { name: 'intervalMs', kind: 'duration', default: '10s', least: '100ms', most: '1h', reload: true,
    about: 'Time between latency, ledger and backlog lines.' },
  emf: { name: 'emf', kind: 'boolean', default: false, reload: true,
    about: 'Writes lines in the CloudWatch embedded metric format, once per interval for each stream and for the daemon.' },
  emf_namespace: { name: 'emfNamespace', kind: 'string', default: 'spillway', pattern: '^(?!AWS/)[a-zA-Z0-9_.#/-][a-zA-Z0-9_.#/:-]{0,254}$', reload: true,
    form: '1 to 255 of a-z A-Z 0-9 _ . # / : -, not beginning with : or AWS/',
    about: 'CloudWatch namespace of these metrics.' },
} as const satisfies Section;

// biome-ignore format: an option per line or two, so that the table reads as a table
export const journalOptions = {
  max_bytes: { name: 'maxBytes', kind: 'size', default: '1GiB', least: '1MiB', most: '1024GiB',
    about: 'Disk that the journal of ack level "disk" may take; beyond it events of that level are refused.' },
  commit_window: { name: 'commitWindowMs', kind: 'duration', default: '0', least: '0', most: '1s',
    about: 'How long an fdatasync waits for the events of other senders; "0": not at all, while it runs they gather anyway.' },
  ack_timeout: { name: 'ackTimeoutMs', kind: 'duration', default: '5s', least: '10ms', most: '10m',
    about: 'A sender of ack level "disk" whose event is not on disk by then is told so, and others are refused until the disk moves.' },
} as const satisfies Section;

// biome-ignore format: an option per line or two, so that the table reads as a table
export const alertOptions = {
  name: { name: 'name', kind: 'string', required: true, pattern: '^[a-z][a-z0-9_]{0,63}$', form: '1 to 64 of a-z 0-9 _, first a letter',
    about: 'What log and status call it; of an alert that is there unasked: what follows changes that one.' },
  measure: { name: 'measure', kind: 'choice', choices: measureNames, form: 'a measure of the section "Alerts"', reload: true,
    about: 'What it watches. Needed, unless the alert is there unasked.' },
  stream: { name: 'stream', kind: 'string', pattern: '^([a-zA-Z0-9_.-]{1,128}|[*])$', form: 'the name of a [[stream]], or "*" for each of them', reload: true,
    about: 'Stream that it watches; "*": each for itself; absent: all together, or as it is unasked.' },
  threshold: { name: 'threshold', kind: 'quantity', reload: true,
    about: 'Beyond it is bad, above or below, as the measure is; in its unit. Needed, unless the alert is there unasked.' },
  clear: { name: 'clear', kind: 'quantity', reload: true,
    about: 'It is well again at this level; absent: 0.8 of the threshold, or 1.25 where less is bad.' },
  for: { name: 'forMs', kind: 'duration', least: '0', most: '24h', reload: true,
    about: 'How long it must be bad before it fires; absent: "0", or as it is unasked.' },
  clear_for: { name: 'clearForMs', kind: 'duration', least: '1s', most: '24h', reload: true,
    about: 'How long it must be well before it clears, and the least time between two changes; absent: "5s".' },
  enabled: { name: 'enabled', kind: 'boolean', reload: true,
    about: 'Whether it is watched; absent: true.' },
} as const satisfies Section;

// biome-ignore format: an option per line or two, so that the table reads as a table
export const notifyOptions = {
  command: { name: 'command', kind: 'argv', reload: true,
    about: 'Program that gets alerts as JSON on its stdin; no shell reads its words, and only the environment\'s PATH, HOME and language are handed on.' },
  webhook: { name: 'webhook', kind: 'string', secret: true, pattern: '^https?://[^\\s/?#]+([/?]\\S*)?$', form: 'a URL that begins with http:// or https://', reload: true,
    about: 'URL that gets alerts as JSON by POST; no proxy is used, and no redirect followed.' },
  timeout: { name: 'timeoutMs', kind: 'duration', default: '10s', least: '100ms', most: '5m', reload: true,
    about: 'A command that has not ended by then is killed, a request that is not answered is given up.' },
  interval: { name: 'intervalMs', kind: 'duration', default: '5s', least: '100ms', most: '1h', reload: true,
    about: 'Least time between two commands or two requests; what fires or clears meanwhile goes together.' },
} as const satisfies Section;

/** All sections in the order of the documentation. `many`: an array of tables, `[[stream]]`. */
export const sections = {
  daemon: { many: false, options: daemonOptions },
  stream: { many: true, options: streamOptions },
  listen: { many: true, options: listenOptions },
  breaker: { many: false, options: breakerOptions },
  dlq: { many: false, options: dlqOptions },
  journal: { many: false, options: journalOptions },
  log: { many: false, options: logOptions },
  alert: { many: true, options: alertOptions },
  notify: { many: false, options: notifyOptions },
} as const satisfies Readonly<Record<string, { readonly many: boolean; readonly options: Section }>>;

export type SectionName = keyof typeof sections;

/** The values of one section as the table types them, before sections are checked against each other. */
export type SectionValues<Name extends SectionName> = Values<(typeof sections)[Name]['options']>;

/** `key -> option` of a section, for code that walks the whole table. */
export function optionsOf(section: SectionName): Section {
  return sections[section].options;
}
