/**
 * Opens the configured listeners on the daemon's intake. Main thread; called once at start, all or none: where one cannot be
 * opened the others are closed again.
 */
import type { Clock } from '../edges/clock.ts';
import { socketFiles } from '../edges/socket-files.ts';
import type { Admission } from '../ingress/admission.ts';
import { feed } from '../ingress/feed.ts';
import type { Framer } from '../ingress/framer.ts';
import { createFrameFramer } from '../ingress/frames.ts';
import { listenHttp } from '../ingress/http.ts';
import { refusals } from '../ingress/intake.ts';
import { compileKeyPath, KeyFinder } from '../ingress/json-key.ts';
import { describeRefusal, LineFramer } from '../ingress/lines.ts';
import { listenUnix } from '../ingress/unix.ts';
import type { Log } from '../observe/log.ts';
import type { Arena } from '../ring/arena.ts';
import type { ArenaPlan } from '../threads/plan.ts';
import type { Config, HttpListenConfig, ListenConfig, StdinListenConfig, UnixListenConfig } from './config.ts';

export interface RunningListener {
  /** A path, an URL, or "stdin". */
  readonly address: string;
  close(drainMs: number): Promise<void>;
  tellBreaker?(stream: number, state: number): void;
}

export interface ListenerParts {
  readonly config: Config;
  readonly arena: Arena;
  readonly plan: ArenaPlan;
  readonly intake: Admission;
  readonly clock: Clock;
  readonly log: Log;
  readonly status: () => object;
  readonly ready: () => boolean;
  readonly onInputEnd: () => void;
}

/** Share of the memory budget that unfinished events of all connections may take. */
const carryShare = 1 / 8;

export async function openListeners(parts: ListenerParts): Promise<RunningListener[]> {
  const opened: RunningListener[] = [];
  try {
    for (const listener of parts.config.listeners) opened.push(await open(parts, listener));
    return opened;
  } catch (error) {
    await Promise.all(opened.map((listener) => listener.close(0)));
    throw error;
  }
}

function open(parts: ListenerParts, listener: ListenConfig): Promise<RunningListener> {
  switch (listener.kind) {
    case 'unix':
      return openUnix(parts, listener);
    case 'http':
      return openHttp(parts, listener);
    case 'stdin':
      return openStdin(parts, listener);
  }
}

function landingOf({ plan }: ListenerParts): { carryStart: number; readStart: number; readEnd: number } {
  const { offset, length, readStart } = plan.landing;
  return { carryStart: offset, readStart, readEnd: offset + length };
}

/** Makes the line framers of one listener: they share the search for its key field. */
function lineFramers(parts: ListenerParts, listener: ListenConfig): (stream: number, fixedKey?: string) => LineFramer {
  const { arena, intake, plan } = parts;
  const scratch = plan.keyScratch.offset;
  const finder =
    listener.keyField === undefined ? undefined : new KeyFinder(arena, scratch, compileKeyPath(listener.keyField));
  return (stream, fixedKey) =>
    new LineFramer({
      arena,
      intake,
      stream,
      missingKey: listener.missingKey,
      lineBytesMax: Math.min(listener.frameBytesMax, intake.eventBytesMax(stream)),
      ...(finder === undefined ? {} : { keyFinder: finder }),
      ...(fixedKey === undefined ? {} : { fixedKey }),
    });
}

function frameFramer({ arena, intake, plan }: ListenerParts, stream: number | undefined): Framer {
  const carryBytesMax = plan.landing.readStart - plan.landing.offset;
  return createFrameFramer({ arena, intake, defaultStream: stream, carryBytesMax });
}

async function openUnix(parts: ListenerParts, listener: UnixListenConfig): Promise<RunningListener> {
  const { arena, intake, clock, config } = parts;
  const stream = intake.streamIndex(listener.stream) ?? 0;
  const createLine = lineFramers(parts, listener);
  const server = await listenUnix({
    path: listener.path,
    mode: listener.mode,
    arena,
    landing: landingOf(parts),
    intake,
    nowUs: () => clock.nowUs(),
    files: socketFiles,
    createFrameFramer: () => frameFramer(parts, stream),
    createLineFramer: () => createLine(stream),
    connectionsMax: listener.connectionsMax,
    carryBytesMax: Math.floor(config.daemon.memoryBudgetBytes * carryShare),
    idleTimeoutMs: listener.idleTimeoutMs,
  });
  return {
    address: listener.path,
    close: (drainMs) => server.close({ drainMs }),
    tellBreaker: (index, state) => server.tellBreaker(index, state, intake.retryAfterMs(index)),
  };
}

function openHttp(parts: ListenerParts, listener: HttpListenConfig): Promise<RunningListener> {
  const { arena, intake, clock } = parts;
  return listenHttp({
    host: listener.address.host,
    port: listener.address.port,
    arena,
    landing: landingOf(parts),
    intake,
    nowUs: () => clock.nowUs(),
    createLineFramer: lineFramers(parts, listener),
    bodyBytesMax: listener.bodyBytesMax,
    connectionsMax: listener.connectionsMax,
    idleTimeoutMs: listener.idleTimeoutMs,
    status: parts.status,
    ready: parts.ready,
  });
}

async function openStdin(parts: ListenerParts, listener: StdinListenConfig): Promise<RunningListener> {
  const { arena, intake, clock, log } = parts;
  const stream = intake.streamIndex(listener.stream) ?? 0;
  const framer = lineFramers(parts, listener)(stream);
  const onPiece = (): void => {
    for (const run of framer.takeRefusals()) {
      const message = JSON.stringify(describeRefusal(run));
      log.warn('listener', message, { listener: 'stdin', state: 'client', code: refusals[run.verdict]?.code ?? '' });
    }
  };
  feed(process.stdin, { framer, landing: landingOf(parts), arena, intake, nowUs: () => clock.nowUs(), onPiece }).then(
    () => parts.onInputEnd(),
    (error: unknown) => log.failure(error),
  );
  return { address: 'stdin', close: async () => void process.stdin.destroy() };
}
