/**
 * An HTTP listener on a free port with a recording intake behind it, and senders that write requests byte by byte. Everything
 * it makes is gone after the test.
 */
import type { Test } from 'tap';
import { createFrameFramer } from '../../src/ingress/frames.ts';
import { type HttpListener, type HttpListenerOptions, listenHttp } from '../../src/ingress/http.ts';
import { HttpGate } from '../../src/ingress/http-gate.ts';
import { createArena } from '../../src/ring/arena.ts';
import { type HttpAnswer, readAnswers } from './http-answers.ts';
import { landingOf, type RecordingIntake, recordingIntake } from './recording-intake.ts';
import { keyFinderFor, RawSender, scratchOffset } from './unix-harness.ts';

export interface HttpBench {
  readonly port: number;
  readonly intake: RecordingIntake;
  readonly listener: HttpListener;
  readonly sender: () => HttpSender;
  /** Sends `bytes` on a connection of its own; resolves with its `count` answers. */
  readonly ask: (bytes: string | Buffer, count?: number) => Promise<HttpAnswer[]>;
}

export interface HttpBenchOptions extends Partial<HttpListenerOptions> {
  readonly keyField?: string;
  readonly carryRoomBytes?: number;
  readonly readBytes?: number;
}

export async function listenHttpForTest(t: Test, options: HttpBenchOptions = {}): Promise<HttpBench> {
  const { carryRoomBytes = 65_536, readBytes = 65_536, keyField } = options;
  const arena = createArena(1 << 20);
  const intake = recordingIntake(arena, { eventBytesMax: 60_000 });
  const listener = await listenHttp({
    host: '127.0.0.1',
    port: 0,
    gate: new HttpGate({ files: { tls: undefined, tokens: undefined }, nowMs: () => 0, onIntruder: () => {} }),
    arena,
    landing: landingOf(carryRoomBytes, readBytes),
    intake,
    nowUs: () => 1,
    keyFinder: keyFinderFor(arena, keyField),
    missingKey: 'random',
    requestKeyOffset: scratchOffset,
    eventBytesMax: 60_000,
    createFrameFramer: (own, stream) =>
      createFrameFramer({ arena, intake: own, defaultStream: stream, carryBytesMax: carryRoomBytes }),
    bodyBytesMax: 200_000,
    requestTimeoutMs: 30_000,
    headersTimeoutMs: 10_000,
    connectionsMax: 16,
    idleTimeoutMs: 30_000,
    stallTimeoutMs: 0,
    letGoAfterMs: 0,
    onLetGo: () => {},
    carryBytesMax: 1 << 20,
    status: () => ({ state: 'ready' }),
    metrics: () => '',
    nowMs: () => 0,
    ready: () => true,
    watchSender: () => {
      throw new Error('no lanes stand behind this listener');
    },
    ackTimeoutMs: 1_000,
    ...options,
  });
  t.teardown(() => listener.close({ drainMs: 0 }));
  const port = Number(new URL(listener.address).port);
  const sender = (): HttpSender => {
    const made = new HttpSender(port);
    t.teardown(() => made.socket.destroy());
    return made;
  };
  const ask = async (bytes: string | Buffer, count = 1): Promise<HttpAnswer[]> => {
    const one = sender();
    one.socket.write(bytes);
    const answers = await one.answered(count);
    one.socket.destroy();
    return answers;
  };
  return { port, intake, listener, sender, ask };
}

/** A connection of which the answers are read. */
export class HttpSender extends RawSender {
  constructor(port: number) {
    super(port, false);
    this.socket.setNoDelay(true);
  }

  get answers(): HttpAnswer[] {
    return readAnswers(this.bytes);
  }

  /** Resolves with the answers once there are `count`. */
  async answered(count: number): Promise<HttpAnswer[]> {
    await this.until(() => this.answers.length >= count);
    return this.answers;
  }
}

/** A request for events with its body, whose length is declared. `headers` are whole lines. */
export function post(
  body: string | Buffer,
  headers: readonly string[] = [],
  path = '/v1/streams/orders/events',
): Buffer {
  const bytes = Buffer.from(body);
  const lines = [`POST ${path} HTTP/1.1`, 'host: here', `content-length: ${bytes.length}`, ...headers];
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), bytes]);
}

/** The same with the body in chunks of the test's choice. */
export function postChunks(chunks: readonly (string | Buffer)[], headers: readonly string[] = []): Buffer {
  const lines = ['POST /v1/streams/orders/events HTTP/1.1', 'host: here', 'transfer-encoding: chunked', ...headers];
  const parts = chunks.flatMap((chunk) => {
    const bytes = Buffer.from(chunk);
    return [Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')];
  });
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), ...parts, Buffer.from('0\r\n\r\n')]);
}

export const jsonType = 'content-type: application/json';
export const framesType = 'content-type: application/vnd.spillway.frames';
