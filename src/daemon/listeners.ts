/**
 * Opens the configured listeners on the daemon's intake. Main thread; called once at start, all or none: where one cannot be
 * opened the others are closed again.
 *
 * Long because the kinds of listener are wired side by side.
 */
import type { Clock } from '../edges/clock.ts';
import type { InheritedSocket } from '../edges/inherited-sockets.ts';
import { socketFiles } from '../edges/socket-files.ts';
import type { Admission } from '../ingress/admission.ts';
import type { Deliveries } from '../ingress/deliveries.ts';
import type { DiskAcks } from '../ingress/disk-acks.ts';
import type { Framer } from '../ingress/framer.ts';
import { createFrameFramer, type FrameFramerOptions } from '../ingress/frames.ts';
import { listenHttp } from '../ingress/http.ts';
import type { Intake } from '../ingress/intake.ts';
import { compileKeyPath, KeyFinder } from '../ingress/json-key.ts';
import { LineFramer } from '../ingress/lines.ts';
import { readLines } from '../ingress/stdin.ts';
import { listenUnix } from '../ingress/unix.ts';
import type { WatchSender } from '../ingress/watched-intake.ts';
import type { Log } from '../observe/log.ts';
import type { Arena } from '../ring/arena.ts';
import type { ArenaPlan } from '../threads/plan.ts';
import type { Config, HttpListenConfig, ListenConfig, StdinListenConfig, UnixListenConfig } from './config.ts';
import { HttpGuard } from './http-guard.ts';
import { assignSockets } from './inherited.ts';
import { LetGoLog } from './let-go-log.ts';

export interface RunningListener {
  /** A path, an URL, or "stdin". */
  readonly address: string;
  close(drainMs: number): Promise<void>;
  tellBreaker?(stream: number, state: number): void;
  /** Takes over what of its configuration may change; `listener` is of its own kind and place. */
  retune?(listener: ListenConfig): void;
  /** Reads its files again; gives the options whose files say something else now. */
  renew?(): readonly string[];
  /** Once per log interval. */
  interval?(): void;
}

export interface ListenerParts {
  readonly config: Config;
  /** Listening sockets of the service manager. */
  readonly inherited: readonly InheritedSocket[];
  readonly arena: Arena;
  readonly plan: ArenaPlan;
  readonly intake: Admission;
  readonly deliveries: Deliveries;
  readonly diskAcks: DiskAcks;
  readonly clock: Clock;
  readonly log: Log;
  readonly status: () => object;
  /** The page of `/metrics`. */
  readonly metrics: () => string;
  readonly ready: () => boolean;
  readonly onInputEnd: () => void;
}

/** A request, and its head, that take longer are slow senders or worse. Node looks every half second. */
const httpRequestTimeoutMs = 60_000;
const httpHeadersTimeoutMs = 9_000;

/** Share of the memory budget that unfinished events of all connections may take. */
const carryShare = 1 / 8;

export async function openListeners(parts: ListenerParts): Promise<RunningListener[]> {
  const opened: RunningListener[] = [];
  const { fds, unwanted } = assignSockets(parts.config.listeners, parts.inherited);
  try {
    for (const [i, listener] of parts.config.listeners.entries()) opened.push(await open(parts, listener, fds.get(i)));
    for (const { fd, address, name } of unwanted) warnUnwanted(parts.log, address || name || `descriptor ${fd}`);
    return opened;
  } catch (error) {
    await Promise.all(opened.map((listener) => listener.close(0)));
    throw error;
  }
}

function warnUnwanted(log: Log, listener: string): void {
  const cure = 'make a [[listen]] for it, or take it out of the socket unit';
  const message = `inherited socket ${listener} is no [[listen]]'s: who connects to it is not served; ${cure}`;
  log.warn('listener', message, { listener, state: 'failed', code: 'socket_unwanted' });
}

function open(parts: ListenerParts, listener: ListenConfig, fd: number | undefined): Promise<RunningListener> {
  switch (listener.kind) {
    case 'unix':
      return openUnix(parts, listener, fd);
    case 'http':
      return openHttp(parts, listener, fd);
    case 'stdin':
      return openStdin(parts, listener);
  }
}

function landingOf({ plan }: ListenerParts): { carryStart: number; readStart: number; readEnd: number } {
  const { offset, length, readStart } = plan.landing;
  return { carryStart: offset, readStart, readEnd: offset + length };
}

/** The search for a listener's key field, shared by its connections; undefined where it has none. */
function keyFinder({ arena, plan }: ListenerParts, { keyField }: ListenConfig): KeyFinder | undefined {
  return keyField === undefined
    ? undefined
    : new KeyFinder(arena.bytes, plan.keyScratch.offset, compileKeyPath(keyField));
}

function lineFramers(
  parts: ListenerParts,
  listener: ListenConfig,
  stream: number,
  watchSender?: WatchSender,
): () => LineFramer {
  const { arena, intake } = parts;
  const finder = keyFinder(parts, listener);
  const lineBytesMax = Math.min(listener.frameBytesMax, intake.eventBytesMax(stream));
  const { missingKey } = listener;
  const level = listener.ack === 'memory' ? undefined : listener.ack;
  const watched = level === undefined || watchSender === undefined ? undefined : { level, sender: watchSender };
  return () => new LineFramer({ arena, intake, stream, keyFinder: finder, missingKey, lineBytesMax, watched });
}

function frameFramer(
  { arena, plan }: ListenerParts,
  intake: Intake,
  stream: number | undefined,
  acks: Pick<FrameFramerOptions, 'watchSender' | 'ackDefault'> = {},
): Framer {
  const carryBytesMax = plan.landing.readStart - plan.landing.offset;
  return createFrameFramer({ arena, intake, defaultStream: stream, carryBytesMax, ...acks });
}

function watchSenderOf({ deliveries, diskAcks }: ListenerParts): WatchSender {
  return (level, options) => (level === 'disk' ? diskAcks : deliveries).watch(options);
}

async function openUnix(
  parts: ListenerParts,
  listener: UnixListenConfig,
  fd: number | undefined,
): Promise<RunningListener> {
  const { arena, intake, clock, config } = parts;
  const stream = intake.streamIndex(listener.stream) ?? 0;
  const watchSender = watchSenderOf(parts);
  const acks = { watchSender, ackDefault: listener.ack };
  const letGo = new LetGoLog(parts.log, listener.path, () => clock.nowMs());
  const server = await listenUnix({
    path: listener.path,
    fd,
    mode: listener.mode,
    arena,
    landing: landingOf(parts),
    intake,
    nowUs: () => clock.nowUs(),
    files: socketFiles,
    createFrameFramer: () => frameFramer(parts, intake, stream, acks),
    createLineFramer: lineFramers(parts, listener, stream, watchSender),
    connectionsMax: listener.connectionsMax,
    carryBytesMax: Math.floor(config.daemon.memoryBudgetBytes * carryShare),
    idleTimeoutMs: listener.idleTimeoutMs,
    stallTimeoutMs: listener.stallTimeoutMs,
    letGoAfterMs: listener.letGoAfterMs,
    onLetGo: () => letGo.letGo(),
  });
  return {
    address: listener.path,
    close: (drainMs) => server.close({ drainMs }),
    tellBreaker: (index, state) => server.tellBreaker(index, state, state === 0 ? 0 : intake.retryAfterMs(index)),
    retune: ({ connectionsMax, idleTimeoutMs, stallTimeoutMs, letGoAfterMs }) =>
      server.retune({ connectionsMax, idleTimeoutMs, stallTimeoutMs, letGoAfterMs }),
    interval: () => letGo.look(),
  };
}

async function openHttp(
  parts: ListenerParts,
  listener: HttpListenConfig,
  fd: number | undefined,
): Promise<RunningListener> {
  const { arena, intake, clock, config, plan } = parts;
  const { host, port } = listener.address;
  const letGo = new LetGoLog(parts.log, `${host}:${port}`, () => clock.nowMs());
  const guard = new HttpGuard({ listener, log: parts.log, nowMs: () => clock.nowMs() });
  const server = await listenHttp({
    host,
    gate: guard.gate,
    fd,
    port,
    arena,
    landing: landingOf(parts),
    intake,
    nowUs: () => clock.nowUs(),
    keyFinder: keyFinder(parts, listener),
    missingKey: listener.missingKey,
    requestKeyOffset: plan.keyScratch.offset,
    eventBytesMax: listener.frameBytesMax,
    createFrameFramer: (requestIntake, stream) => frameFramer(parts, requestIntake, stream),
    bodyBytesMax: listener.bodyBytesMax,
    watchSender: watchSenderOf(parts),
    ackDefault: listener.ack,
    ackTimeoutMs: listener.ackTimeoutMs,
    requestTimeoutMs: httpRequestTimeoutMs,
    headersTimeoutMs: httpHeadersTimeoutMs,
    connectionsMax: listener.connectionsMax,
    idleTimeoutMs: listener.idleTimeoutMs,
    stallTimeoutMs: listener.stallTimeoutMs,
    letGoAfterMs: listener.letGoAfterMs,
    onLetGo: () => letGo.letGo(),
    carryBytesMax: Math.floor(config.daemon.memoryBudgetBytes * carryShare),
    status: parts.status,
    metrics: parts.metrics,
    nowMs: () => clock.nowMs(),
    ready: parts.ready,
  });
  return {
    address: server.address,
    close: (drainMs) => server.close({ drainMs }),
    retune: ({ connectionsMax, idleTimeoutMs, ackTimeoutMs, stallTimeoutMs, letGoAfterMs }) =>
      server.retune({ connectionsMax, idleTimeoutMs, ackTimeoutMs, stallTimeoutMs, letGoAfterMs }),
    renew: () => guard.renew(),
    interval: () => {
      letGo.look();
      guard.tick();
    },
  };
}

async function openStdin(parts: ListenerParts, listener: StdinListenConfig): Promise<RunningListener> {
  const { arena, intake, clock, log } = parts;
  const stream = intake.streamIndex(listener.stream) ?? 0;
  const input = readLines({
    input: process.stdin,
    framer: lineFramers(parts, listener, stream)(),
    arena,
    landing: landingOf(parts),
    intake,
    nowUs: () => clock.nowUs(),
    onRefusal: (refusal) =>
      log.warn('listener', JSON.stringify(refusal), { listener: 'stdin', state: 'client', code: refusal.error }),
    onOmitted: (lines) =>
      log.warn('listener', `${lines} further lines were refused`, {
        listener: 'stdin',
        state: 'client',
        code: 'omitted',
      }),
  });
  void input.ended.then(() => parts.onInputEnd());
  return {
    address: 'stdin',
    close: async () => {
      input.stop();
      await input.ended;
    },
  };
}
