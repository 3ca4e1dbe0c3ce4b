/**
 * What is the least that delivering events can cost on this machine, with Node's own primitives? The "floor" that spillway's
 * CPU per million events is held against.
 *
 * ```
 *  source process ─ unix socket ─▶ read ─▶ MD5 ─▶ base64 ─▶ SHA-256 ─▶ AES-128-GCM ─▶ write ─ TCP loopback ─▶ sink process
 *                                  aggregate bytes │        │ 4/3 of them: the body ...                    │
 * ```
 *
 * The bytes of the events, with what a KPL aggregate adds to each, pass each station once, in large blocks and reused memory,
 * with nothing done per event: no framing, no key hash, no ring, no HTTP, no timers. Each station runs alone and is counted by
 * `process.cpuUsage` of this process (user + system, kernel's share of the sockets included), the sum is the floor. Where a
 * primitive can be called in several ways, the cheapest is taken; the choices stand at the stations.
 */
import { fork } from 'node:child_process';
import { createCipheriv, hash, randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { benchSwitches, cpuSeconds, printLine } from './harness.ts';

/** What a KPL aggregate adds to each event: tags, lengths and the index of its key. */
const aggregateBytesPerEvent = 9;
/** The event's share of the key table: 10-byte keys with tag and length, each used by a dozen events of an aggregate. */
const keyTableBytesPerEvent = 1;

/** One PutRecords record's worth of bytes: the unit of MD5, base64 and SHA-256. */
const aggregateBytes = 1_000_000;
const readBytes = 262_144;
/** AES works on pieces of 64 KiB: 0.32 ns per byte, against 0.38 in TLS's 16 KiB and 0.75 in one piece, whose output is new memory. */
const cipherBytes = 65_536;
/** base64 comes out of Node as a string: 0.15 ns per byte in pieces of 12 KiB, 1.3 in 96 KiB (strings outside the heap). */
const base64Bytes = 12_288;
/** Each station is measured this often; the least counts, because noise only adds. */
const passes = 5;

export interface FloorOptions {
  /** Bytes of one event's data. */
  readonly eventBytes: number;
  /** Events to measure with; the more, the steadier. A million of 200 bytes take about four seconds. */
  readonly events: number;
}

export type FloorPart = 'read' | 'md5' | 'base64' | 'sha256' | 'aesGcm' | 'write';

export interface Floor {
  /** Sum of the parts: CPU seconds per million events. */
  readonly cpuSecondsPerMillion: number;
  /** CPU nanoseconds per aggregate byte of each station, in the order of the way. */
  readonly parts: Readonly<Record<FloorPart, number>>;
  /** Bytes per event that every station is charged with. */
  readonly bytesPerEvent: number;
}

/** Measures the floor. Starts one child process and ends it; leaves nothing behind. */
export async function measureFloor(options: FloorOptions): Promise<Floor> {
  const bytesPerEvent = options.eventBytes + aggregateBytesPerEvent + keyTableBytesPerEvent;
  const rounds = Math.max(1, Math.round((options.events * bytesPerEvent) / aggregateBytes));
  const total = rounds * aggregateBytes;
  const directory = await mkdtemp(join(tmpdir(), 'floor-'));
  const path = join(directory, 'source.sock');
  const peer = fork(fileURLToPath(new URL('floor-peer.js', import.meta.url)), [path]);
  try {
    const [{ port }] = (await once(peer, 'message')) as [{ port: number }];
    const aggregate = randomFillSync(Buffer.alloc(aggregateBytes));
    const body = Buffer.alloc(Math.ceil(aggregateBytes / 3) * 4);
    const stations: Record<FloorPart, () => Promise<void> | void> = {
      read: () => readAll(path, total),
      md5: () => repeat(rounds, () => hash('md5', aggregate, 'buffer')),
      base64: () => repeat(rounds, () => encodeBase64(aggregate, body)),
      sha256: () => repeat(rounds, () => hash('sha256', body, 'buffer')),
      aesGcm: () => encryptAll(body, rounds),
      write: () => writeAll(port, body, rounds),
    };
    const parts = {} as Record<FloorPart, number>;
    for (const part of Object.keys(stations) as FloorPart[]) {
      await stations[part]();
      const perByte: number[] = [];
      for (let pass = 0; pass < passes; pass++) {
        const before = cpuSeconds();
        await stations[part]();
        perByte.push(((cpuSeconds() - before) * 1e9) / total);
      }
      parts[part] = Math.min(...perByte);
    }
    const nsPerByte = Object.values(parts).reduce((sum, part) => sum + part, 0);
    return { cpuSecondsPerMillion: (nsPerByte * bytesPerEvent) / 1000, parts, bytesPerEvent };
  } finally {
    peer.disconnect();
    await once(peer, 'exit');
    await rm(directory, { recursive: true, force: true });
  }
}

function repeat(rounds: number, work: () => unknown): void {
  for (let round = 0; round < rounds; round++) work();
}

/** Reads `total` bytes from the unix socket into one reused buffer. */
async function readAll(path: string, total: number): Promise<void> {
  let received = 0;
  const onread = {
    buffer: Buffer.alloc(readBytes),
    callback: (length: number): boolean => {
      received += length;
      return true;
    },
  };
  const socket = connect({ path, onread });
  socket.write(String(total));
  await once(socket, 'close');
  if (received !== total) throw new Error(`the source sent ${received} bytes of ${total}`);
}

/** Fills the body with the aggregate's base64. The pieces are multiples of 3 bytes, so that only the last one is padded. */
function encodeBase64(aggregate: Buffer, body: Buffer): void {
  let written = 0;
  for (let at = 0; at < aggregate.length; at += base64Bytes) {
    written += body.write(aggregate.toString('base64', at, at + base64Bytes), written, 'latin1');
  }
}

function encryptAll(body: Buffer, rounds: number): void {
  const cipher = createCipheriv('aes-128-gcm', Buffer.alloc(16, 1), Buffer.alloc(12, 2));
  for (let round = 0; round < rounds; round++) {
    for (let at = 0; at < body.length; at += cipherBytes) cipher.update(body.subarray(at, at + cipherBytes));
  }
  cipher.final();
}

/** Writes the body `rounds` times to the sink, one request's worth in flight, and waits until the sink has counted it all. */
async function writeAll(port: number, body: Buffer, rounds: number): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1' });
  let answer = '';
  socket.on('data', (bytes) => {
    answer += bytes.toString();
  });
  for (let round = 0; round < rounds; round++) {
    if (!socket.write(body)) await once(socket, 'drain');
  }
  socket.end();
  await once(socket, 'close');
  if (Number(answer) !== rounds * body.length)
    throw new Error(`the sink got ${answer} bytes of ${rounds * body.length}`);
}

/** Prints the floor for one event size. */
async function report(eventBytes: number): Promise<void> {
  const switches = benchSwitches();
  const floor = await measureFloor({ eventBytes, events: switches.smoke ? 10_000 : 200_000_000 / eventBytes });
  if (switches.json) {
    printLine(JSON.stringify({ eventBytes, ...floor }));
    return;
  }
  const parts = Object.entries(floor.parts).map(([part, ns]) => `${part} ${ns.toFixed(3)}`);
  printLine(`${eventBytes} B events: floor ${floor.cpuSecondsPerMillion.toFixed(3)} CPU-s per million`);
  printLine(`  ns per aggregate byte (${floor.bytesPerEvent} per event): ${parts.join(', ')}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const eventBytes of [200, 1000]) await report(eventBytes);
}
