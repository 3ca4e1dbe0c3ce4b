/**
 * Question: what does ack level `disk` cost beyond the disk itself: how near do the daemon's group commits come to a bare loop of
 * write and fdatasync, and how near its acks to one fdatasync?
 *
 * ```
 *   bare     n entries ─ write ─ fdatasync ─ n entries ─ ...                       one file, one loop, in this process
 *   disk     n connections, each: one event of 200 bytes ─ ack ─ the next ...      unix socket, frames, a real daemon
 *   memory   the same at ack level memory: what sockets, wake-ups and the sender cost without a disk
 * ```
 *
 * Prints, for each n, commits and events a second, and the 99th percentile of an fdatasync and of an ack. In turns, on the same disk;
 * commits are fdatasync calls. The senders share this process and its cores with the daemon and its endpoint. `--smoke`: a moment of each, for the tests. `--json`: one object per line.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, connect } from '../src/client/client.ts';
import { entryBytes } from '../src/dlq/layout.ts';
import { startSimulator } from '../src/simulator/process.ts';
import { type DaemonProcess, startDaemon } from './daemon-process.ts';
import { benchSwitches, median, printLine } from './harness.ts';

const switches = benchSwitches();
const seconds = switches.smoke ? 0.2 : 2;
const rounds = switches.smoke ? 1 : 3;
const senderCounts = switches.smoke ? [1, 4] : [1, 16, 256];
const key = Buffer.from('user0123');
const data = Buffer.alloc(200, 'x');
const entryLength = entryBytes('orders'.length, false, key.length, data.length);

type Level = 'disk' | 'memory';

interface Figures {
  readonly commitsPerSecond: number;
  readonly eventsPerSecond: number;
  /** Of an fdatasync, or of an ack. */
  readonly p99Ms: number;
}

function p99(values: number[]): number {
  values.sort((a, b) => a - b);
  return values[Math.floor(values.length * 0.99)] ?? 0;
}

/** Commits of `senders` entries each, into a file that grows as the journal does. */
async function bareLoop(directory: string, senders: number): Promise<Figures> {
  const entries = Buffer.alloc(entryLength * senders, 1);
  const path = join(directory, 'bare');
  const file = await open(path, 'w');
  const syncsMs: number[] = [];
  const startMs = performance.now();
  let position = 0;
  while (performance.now() < startMs + seconds * 1_000) {
    await file.write(entries, 0, entries.length, position);
    position += entries.length;
    const beforeMs = performance.now();
    await file.datasync();
    syncsMs.push(performance.now() - beforeMs);
  }
  const tookS = (performance.now() - startMs) / 1_000;
  await file.close();
  rmSync(path);
  const commitsPerSecond = syncsMs.length / tookS;
  return { commitsPerSecond, eventsPerSecond: commitsPerSecond * senders, p99Ms: p99(syncsMs) };
}

/** Sends one event, waits for its ack, and so on. */
async function sendInTurns(path: string, level: Level, untilMs: number, acksMs: number[]): Promise<void> {
  let acked = (): void => {};
  let count = 0;
  const client: Client = await connect({ path, ack: level, onAck: (number) => number > count && acked() });
  while (performance.now() < untilMs) {
    const sentMs = performance.now();
    const ack = new Promise<void>((resolve) => {
      acked = resolve;
    });
    client.send(key, data);
    await ack;
    count++;
    acksMs.push(performance.now() - sentMs);
  }
  await client.close();
}

async function daemonLoop(daemon: DaemonProcess, socket: string, level: Level, senders: number): Promise<Figures> {
  const before = (await daemon.status()).journal;
  const acksMs: number[] = [];
  const startMs = performance.now();
  const untilMs = startMs + seconds * 1_000;
  await Promise.all(Array.from({ length: senders }, () => sendInTurns(socket, level, untilMs, acksMs)));
  const tookS = (performance.now() - startMs) / 1_000;
  const after = (await daemon.status()).journal;
  const commitsPerSecond = (after.syncs - before.syncs) / tookS;
  return { commitsPerSecond, eventsPerSecond: acksMs.length / tookS, p99Ms: p99(acksMs) };
}

function middle(all: readonly Figures[]): Figures {
  const of = (name: keyof Figures): number => median(all.map((figures) => figures[name]));
  return { commitsPerSecond: of('commitsPerSecond'), eventsPerSecond: of('eventsPerSecond'), p99Ms: of('p99Ms') };
}

function print(senders: number, bare: Figures, disk: Figures, memory: Figures): void {
  if (switches.json) {
    printLine(JSON.stringify({ senders, bare, disk, memory }));
    return;
  }
  const row = (name: string, { commitsPerSecond, eventsPerSecond, p99Ms }: Figures, what: string): string =>
    `${String(senders).padStart(4)} senders ${name.padEnd(7)} ${commitsPerSecond.toFixed(0).padStart(6)} commits/s ` +
    `${eventsPerSecond.toFixed(0).padStart(8)} events/s   p99 of ${what} ${p99Ms.toFixed(2)} ms`;
  printLine(row('bare', bare, 'an fdatasync'));
  const share = ((100 * disk.commitsPerSecond) / bare.commitsPerSecond).toFixed(0);
  const times = (disk.p99Ms / bare.p99Ms).toFixed(1);
  printLine(`${row('disk', disk, 'an ack')}   ${share} % of the commits, ${times} times the p99`);
  printLine(row('memory', memory, 'an ack'));
}

const directory = mkdtempSync(join(tmpdir(), 'spillway-bench-'));
const simulator = await startSimulator({ streams: [{ name: 'orders', shards: 4 }], seed: 1 });
let daemon: DaemonProcess | undefined;
try {
  mkdirSync(join(directory, 'state'));
  const socket = join(directory, 's.sock');
  const config = join(directory, 'spillway.toml');
  writeFileSync(
    config,
    `[daemon]
state_dir = "${join(directory, 'state')}"
[[stream]]
name = "orders"
region = "us-east-1"
endpoint = "${simulator.url}"
[[listen]]
kind = "unix"
path = "${socket}"
[[listen]]
kind = "http"
address = "127.0.0.1:0"
`,
  );
  daemon = await startDaemon({ config });
  for (const senders of senderCounts) {
    const bare: Figures[] = [];
    const disk: Figures[] = [];
    const memory: Figures[] = [];
    for (let round = 0; round < rounds; round++) {
      bare.push(await bareLoop(directory, senders));
      disk.push(await daemonLoop(daemon, socket, 'disk', senders));
      memory.push(await daemonLoop(daemon, socket, 'memory', senders));
    }
    print(senders, middle(bare), middle(disk), middle(memory));
  }
  await daemon.stop();
} finally {
  daemon?.process.kill('SIGKILL');
  await simulator.stop();
  rmSync(directory, { recursive: true, force: true });
}
