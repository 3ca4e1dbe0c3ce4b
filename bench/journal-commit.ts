/**
 * Question: what does ack level `disk` cost beyond the disk itself: how near do the daemon's group commits come to a bare loop of
 * write and fdatasync, and how near its acks to one fdatasync?
 *
 * ```
 *   disk     n connections, each with so many events of 200 bytes unanswered       unix socket, frames, a real daemon
 *   memory   the same at ack level memory: what sockets, wake-ups and the sender cost without a disk
 *   bare     k entries ─ write ─ fdatasync ─ k entries ─ ...                       one file, one loop, in this process
 * ```
 * k is what one commit of the daemon had on average. With one event unanswered a sender waits while the disk rests, and the disk while the
 * sender is told and sends the next: what that costs, level memory shows. With 32 the disk need not wait.
 *
 * Prints, for each n, commits and events a second, and the 99th percentile of an fdatasync and of an ack. In turns, on the same disk;
 * commits are fdatasync calls, or writes through. The senders share this process and its cores with the daemon and its endpoint. `--smoke`: a moment of each, for the tests. `--json`: one object per line.
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
/** Events of one sender that may be unanswered. */
const unansweredCounts = [1, 32];
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

/** Commits of so many entries each, into a file that grows as the journal does. */
async function bareLoop(directory: string, entriesPerCommit: number): Promise<Figures> {
  const entries = Buffer.alloc(entryLength * entriesPerCommit, 1);
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
  return { commitsPerSecond, eventsPerSecond: commitsPerSecond * entriesPerCommit, p99Ms: p99(syncsMs) };
}

/** Keeps `unanswered` events on their way until the time is over, then waits for the last ack. */
async function send(path: string, level: Level, unanswered: number, untilMs: number, acksMs: number[]): Promise<void> {
  const sentMs = new Float64Array(unanswered);
  let sent = 0;
  let acked = 0;
  let finish = (): void => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const onAck = (number: number): void => {
    const nowMs = performance.now();
    for (; acked < number; acked++) acksMs.push(nowMs - (sentMs[acked % unanswered] as number));
    fill();
  };
  const client: Client = await connect({ path, ack: level, onAck });
  function fill(): void {
    const nowMs = performance.now();
    const mayBeSent = nowMs < untilMs ? acked + unanswered : sent;
    for (; sent < mayBeSent; sent++) {
      sentMs[sent % unanswered] = nowMs;
      client.send(key, data);
    }
    if (acked === sent) finish();
  }
  fill();
  await finished;
  await client.close();
}

async function daemonLoop(
  daemon: DaemonProcess,
  socket: string,
  level: Level,
  senders: number,
  unanswered: number,
): Promise<Figures> {
  const before = (await daemon.status()).journal;
  const acksMs: number[] = [];
  const startMs = performance.now();
  const untilMs = startMs + seconds * 1_000;
  await Promise.all(Array.from({ length: senders }, () => send(socket, level, unanswered, untilMs, acksMs)));
  const tookS = (performance.now() - startMs) / 1_000;
  const after = (await daemon.status()).journal;
  const commitsPerSecond = (after.syncs - before.syncs) / tookS;
  return { commitsPerSecond, eventsPerSecond: acksMs.length / tookS, p99Ms: p99(acksMs) };
}

function middle(all: readonly Figures[]): Figures {
  const of = (name: keyof Figures): number => median(all.map((figures) => figures[name]));
  return { commitsPerSecond: of('commitsPerSecond'), eventsPerSecond: of('eventsPerSecond'), p99Ms: of('p99Ms') };
}

function print(senders: number, unanswered: number, bare: Figures, disk: Figures, memory: Figures): void {
  if (switches.json) {
    printLine(JSON.stringify({ senders, unanswered, bare, disk, memory }));
    return;
  }
  const row = (name: string, { commitsPerSecond, eventsPerSecond, p99Ms }: Figures, what: string): string =>
    `${String(senders).padStart(4)} senders, ${String(unanswered).padStart(2)} unanswered ${name.padEnd(7)} ${commitsPerSecond.toFixed(0).padStart(6)} commits/s ` +
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
    for (const unanswered of unansweredCounts) {
      const bare: Figures[] = [];
      const disk: Figures[] = [];
      const memory: Figures[] = [];
      for (let round = 0; round < rounds; round++) {
        const figures = await daemonLoop(daemon, socket, 'disk', senders, unanswered);
        disk.push(figures);
        bare.push(
          await bareLoop(directory, Math.max(1, Math.round(figures.eventsPerSecond / figures.commitsPerSecond))),
        );
        memory.push(await daemonLoop(daemon, socket, 'memory', senders, unanswered));
      }
      print(senders, unanswered, middle(bare), middle(disk), middle(memory));
    }
  }
  await daemon.stop();
} finally {
  daemon?.process.kill('SIGKILL');
  await simulator.stop();
  rmSync(directory, { recursive: true, force: true });
}
