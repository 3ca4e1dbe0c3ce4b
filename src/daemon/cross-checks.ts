/**
 * What no single option can tell: relations between options. Main thread; called once by the config loader after every value
 * has been read. Each check looks only at values that were read without a mistake, so one slip is not reported twice.
 */
import { BlockList, isIP } from 'node:net';
import { unixPathBytesMax } from '../base/limits.ts';
import { formatSize } from '../base/units.ts';
import { checkAlert, checkNotify } from './alert-config.ts';
import type { Mistake } from './mistakes.ts';
import { optionsOf } from './options.ts';
import type { Table } from './tables.ts';

/** Everything that was read; `regionVariable`: AWS_REGION of the environment. */
export interface Tables {
  readonly file: string;
  readonly streams: readonly Table<'stream'>[];
  readonly listeners: readonly Table<'listen'>[];
  readonly breaker: Table<'breaker'>;
  readonly dlq: Table<'dlq'>;
  readonly log: Table<'log'>;
  readonly alerts: readonly Table<'alert'>[];
  readonly notify: Table<'notify'>;
  readonly regionVariable: string | undefined;
}

/** What a segment adds to an entry at most: the room that the largest event needs beside its bytes. */
const segmentRoomBytes = 4096;

export function crossChecks(tables: Tables): Mistake[] {
  const { file, streams, listeners, breaker, dlq, log, alerts, notify } = tables;
  const mistakes: Mistake[] = [];
  if (streams.length === 0) mistakes.push({ place: file, key: 'stream', cure: 'no destination: write a [[stream]]' });
  if (listeners.length === 0)
    mistakes.push({ place: file, key: 'listen', cure: 'nothing to listen to: write a [[listen]]' });
  mistakes.push(...duplicates(streams, 'name', ({ values }) => values.name));
  mistakes.push(...duplicates(listeners, 'path', ({ values }) => values.path));
  mistakes.push(...duplicates(listeners, 'address', ({ values }) => boundPort(values.address)));
  mistakes.push(...duplicates(listeners, 'kind', ({ values }) => (values.kind === 'stdin' ? 'stdin' : undefined)));
  mistakes.push(...duplicates(alerts, 'name', ({ values }) => values.name));
  for (const stream of streams) mistakes.push(...checkStream(stream, tables));
  for (const listener of listeners) mistakes.push(...checkListener(listener, streams));
  for (const alert of alerts) mistakes.push(...checkAlert(alert, streams));
  mistakes.push(...checkNotify(notify));
  const { openAt, closeAt } = breaker.values;
  if (openAt !== undefined && closeAt !== undefined && closeAt >= openAt) {
    mistakes.push(breaker.mistake('close_at', `must be below breaker.open_at = ${openAt}, or the breaker flaps`));
  }
  const { maxBytes, segmentBytes } = dlq.values;
  if (maxBytes !== undefined && segmentBytes !== undefined && maxBytes < 2 * segmentBytes) {
    const least = formatSize(2 * segmentBytes);
    mistakes.push(dlq.mistake('max_bytes', `must hold two segments: at least ${least}, or lower dlq.segment_bytes`));
  }
  const { emf, level } = log.values;
  if (emf === true && (level === 'warn' || level === 'error')) {
    mistakes.push(
      log.mistake('emf', `its lines are of level info, and log.level = "${level}" leaves them out: lower that`),
    );
  }
  return mistakes;
}

function* checkStream(stream: Table<'stream'>, { dlq, regionVariable }: Tables): Generator<Mistake> {
  const { streamArn, streamName, region, lingerMs, deadlineMs, recordBytesMax, aggregateBytes, batchBytes } =
    stream.values;
  const arn = arnParts(streamArn);
  if (arn !== undefined && region !== undefined && region !== arn.region) {
    yield stream.mistake('region', `stream_arn says "${arn.region}": remove one of the two`);
  }
  if (arn !== undefined && streamName !== undefined && streamName !== arn.streamName) {
    yield stream.mistake('stream_name', `stream_arn says "${arn.streamName}": remove one of the two`);
  }
  if (!stream.wrote('stream_arn') && !stream.wrote('region') && regionVariable === undefined) {
    yield stream.mistake('region', 'missing: write region = "eu-west-1", give stream_arn, or set AWS_REGION');
  }
  if (stream.wrote('external_id') && !stream.wrote('role_arn')) {
    yield stream.mistake('external_id', 'belongs to a role: write role_arn too, or remove it');
  }
  if (lingerMs !== undefined && deadlineMs !== undefined && lingerMs >= deadlineMs) {
    yield stream.mistake('linger', 'must be shorter than deadline, or events expire while they wait for company');
  }
  if (recordBytesMax === undefined) return;
  if (aggregateBytes !== undefined && aggregateBytes > recordBytesMax) {
    yield stream.mistake(
      'aggregate_bytes',
      `an aggregate is a record: at most record_bytes_max = ${formatSize(recordBytesMax)}`,
    );
  }
  if (batchBytes !== undefined && batchBytes < recordBytesMax) {
    yield stream.mistake(
      'batch_bytes',
      `must hold the largest record: at least record_bytes_max = ${formatSize(recordBytesMax)}`,
    );
  }
  const { segmentBytes } = dlq.values;
  if (segmentBytes !== undefined && segmentBytes < recordBytesMax + segmentRoomBytes) {
    yield stream.mistake(
      'record_bytes_max',
      `does not fit into dlq.segment_bytes = ${formatSize(segmentBytes)}: raise that`,
    );
  }
}

function* checkListener(listener: Table<'listen'>, streams: readonly Table<'stream'>[]): Generator<Mistake> {
  const { kind, path, stream, frameBytesMax, bodyBytesMax } = listener.values;
  if (kind === undefined) return;
  for (const [key, { takes }] of Object.entries(optionsOf('listen'))) {
    if (takes !== undefined && !takes.includes(kind) && listener.wrote(key)) {
      yield listener.mistake(
        key,
        `a listener of kind "${kind}" does not take it: only "${takes.join('", "')}"; remove it`,
      );
    }
  }
  if (kind === 'unix' && !listener.wrote('path'))
    yield listener.mistake('path', 'missing: write the path of the socket');
  if (kind === 'http' && !listener.wrote('address')) {
    yield listener.mistake('address', 'missing: write address = "127.0.0.1:7070"');
  }
  yield* checkGate(listener);
  if (path !== undefined && Buffer.byteLength(path) > unixPathBytesMax) {
    yield listener.mistake(
      'path',
      `${Buffer.byteLength(path)} bytes: a unix socket's path has at most ${unixPathBytesMax}`,
    );
  }
  const named = streams.filter(({ values }) => stream === undefined || values.name === stream);
  if (stream !== undefined && named.length === 0) {
    const names = streams.map(({ values }) => values.name).filter((name) => name !== undefined);
    yield listener.mistake('stream', `no [[stream]] has this name; there is ${names.join(', ') || 'none'}`);
  }
  if (stream === undefined && kind !== 'http' && streams.length > 1 && !listener.wrote('stream')) {
    yield listener.mistake('stream', 'missing: there are several [[stream]], say which one gets events that name none');
  }
  for (const { label, values } of named) {
    const needed = values.recordBytesMax ?? 0;
    const tooSmall = `${label}.record_bytes_max = ${formatSize(needed)} would never fit: raise this to more than that`;
    if (frameBytesMax !== undefined && frameBytesMax <= needed) yield listener.mistake('frame_bytes_max', tooSmall);
    if (kind === 'http' && bodyBytesMax !== undefined && bodyBytesMax <= needed) {
      yield listener.mistake('body_bytes_max', tooSmall);
    }
  }
}

/** What is spoken beyond this host is TLS, and with somebody who is known. */
function* checkGate(listener: Table<'listen'>): Generator<Mistake> {
  const { kind, address } = listener.values;
  if (kind !== 'http') return;
  const hasTls = listener.wrote('cert_file');
  for (const [one, other] of [
    ['cert_file', 'key_file'],
    ['key_file', 'cert_file'],
    ['client_ca_file', 'cert_file'],
  ] as const) {
    if (listener.wrote(one) && !listener.wrote(other))
      yield listener.mistake(one, `goes with ${other}: write that too, or remove this`);
  }
  if (address === undefined || isLoopback(address.host)) return;
  if (!hasTls) {
    yield listener.mistake(
      'address',
      'whoever reaches it could read along and send: write cert_file and key_file, and token_file or client_ca_file; or listen on 127.0.0.1',
    );
  } else if (!listener.wrote('token_file') && !listener.wrote('client_ca_file')) {
    yield listener.mistake(
      'address',
      'whoever reaches it could send: write token_file or client_ca_file; or listen on 127.0.0.1',
    );
  }
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8);
loopback.addAddress('::1', 'ipv6');

/** A name that is not "localhost" can be any address. */
function isLoopback(host: string): boolean {
  const family = isIP(host);
  return family === 0 ? host === 'localhost' : loopback.check(host, family === 4 ? 'ipv4' : 'ipv6');
}

/** Region and name within a stream's ARN, which the option's pattern has already checked. */
export function arnParts(
  arn: string | undefined,
): { readonly region: string; readonly streamName: string } | undefined {
  if (arn === undefined) return undefined;
  const parts = arn.split(':');
  return { region: parts[3] ?? '', streamName: parts[5]?.slice('stream/'.length) ?? '' };
}

/** Two listeners may both take any free port, never the same one. */
function boundPort(address: { readonly host: string; readonly port: number } | undefined): string | undefined {
  return address === undefined || address.port === 0 ? undefined : `${address.host}:${address.port}`;
}

function* duplicates<Name extends 'stream' | 'listen' | 'alert'>(
  tables: readonly Table<Name>[],
  key: string,
  identity: (table: Table<Name>) => string | undefined,
): Generator<Mistake> {
  const first = new Map<string, Table<Name>>();
  for (const table of tables) {
    const id = identity(table);
    const earlier = id === undefined ? undefined : first.get(id);
    if (earlier !== undefined) yield table.mistake(key, `${earlier.label} has the same: each may stand only once`);
    else if (id !== undefined) first.set(id, table);
  }
}
