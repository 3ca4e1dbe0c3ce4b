/**
 * The fuzz lane of the ingress: mutants over unix sockets and HTTP against a daemon in a process of its own, sound events
 * between them, and books that must balance at the end. Test processes; `ingress-fuzz.test.ts` plays a part of it, `test/long`
 * all of it.
 *
 * Long because one run counts what each part of it did.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Ledger, type LogLine, Rig, until } from '../daemon/running.ts';
import { RawSender } from '../ingress/unix-harness.ts';
import { bodiesScenario, requestScenario } from './http-scenarios.ts';
import { eventBytesMax } from './mutations.ts';
import {
  controlKey,
  controlOf,
  controlsMax,
  framesScenario,
  type Heard,
  linesScenario,
  type Scenario,
} from './scenarios.ts';
import { type Below, seeded, weighted } from './seeded.ts';

export interface FuzzOptions {
  /** Mutants to play. */
  readonly mutants: number;
  readonly seed: number;
}

export interface FuzzReport {
  readonly seconds: number;
  readonly connections: number;
  readonly mutants: number;
  readonly mutations: Readonly<Record<string, number>>;
  readonly answers: Readonly<Record<string, number>>;
  readonly ledger: Ledger;
  /** What the answers add up to. */
  readonly told: { readonly received: number; readonly refused: number };
  readonly soundExpected: number;
  /** Numbers of sound events that are not there, there more than once, there with another key. */
  readonly sound: {
    readonly lost: readonly number[];
    readonly twice: readonly number[];
    readonly altered: readonly number[];
  };
  /** Resident bytes of the daemon: the median of each tenth of the run, and most. */
  readonly rssBytes: { readonly tenths: readonly number[]; readonly most: number };
  /** Open files of the daemon before and after. */
  readonly files: { readonly before: number; readonly after: number };
  readonly exitCode: number | null;
}

/** Connections at a time. */
const atOnce = 6;
/** Longest that a connection may go on once its sender has ended its side. */
const endMsMax = 20_000;
/** One in so many senders vanishes in the middle, in the last part of the run. */
const vanishingShare = 50;
const kinds = [
  framesScenario,
  linesScenario,
  bodiesScenario,
  (_: number, below: Below): Scenario => requestScenario(below),
];
const kindWeights = [40, 12, 16, 32];

export async function fuzzIngress(
  t: { teardown(end: () => Promise<void>): void },
  options: FuzzOptions,
): Promise<FuzzReport> {
  const rig = await Rig.start(t, options.seed);
  const keyedSocket = join(rig.directory, 'keyed.sock');
  const keyed = 'key_field = "user.id"\nmissing_key = "refuse"\n';
  const daemon = await rig.daemon(
    `record_bytes_max = "${eventBytesMax}"\naggregate_bytes = "${eventBytesMax}"\nbatch_bytes = "1MiB"\n`,
    `${keyed}[[listen]]\nkind = "unix"\npath = "${keyedSocket}"\nstream = "orders"\n${keyed}`,
    { daemonLines: 'memory_budget = "64MiB"\n' },
  );
  const pid = daemon.process.pid as number;
  const addresses = { frames: daemon.socket, keyed: keyedSocket, http: Number(new URL(daemon.url).port) };
  const filesBefore = await until(
    async () => openFiles(pid),
    (count) => count > 0,
  );
  const run = new FuzzRun(options, addresses, () => residentBytes(pid));
  const startMs = performance.now();
  await run.play();
  const seconds = (performance.now() - startMs) / 1_000;
  // Twice idle: what is open for a moment only is gone.
  const after = await until(
    async () => openFiles(pid),
    (count) => count <= filesBefore + 8,
  );
  const ledger = await until(
    () => daemon.ledger(),
    ({ delivered, accepted, inFlight, dlq }) => delivered === accepted && inFlight === 0 && dlq === 0,
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}; ${remarks(daemon.log)}`, { cause: error });
  });
  await run.vanish(options.mutants / vanishingShare);
  await until(
    () => daemon.ledger(),
    ({ received, accepted, refused, delivered, inFlight }) =>
      received === accepted + refused && delivered === accepted && inFlight === 0,
  );
  const sound = await readBack(rig, run.expected);
  return {
    ...run.figures,
    seconds,
    ledger,
    sound,
    files: { before: filesBefore, after },
    exitCode: await daemon.stop(),
  };
}

class FuzzRun {
  readonly expected = new Set<number>();
  readonly #options: FuzzOptions;
  readonly #addresses: Readonly<Record<Scenario['to'], string | number>>;
  readonly #measure: () => number;
  readonly #mutations: Record<string, number> = {};
  readonly #answers: Record<string, number> = {};
  readonly #rss: { readonly share: number; readonly bytes: number }[] = [];
  #connections = 0;
  #mutants = 0;
  #received = 0;
  #refused = 0;

  constructor(
    options: FuzzOptions,
    addresses: Readonly<Record<Scenario['to'], string | number>>,
    measure: () => number,
  ) {
    this.#options = options;
    this.#addresses = addresses;
    this.#measure = measure;
  }

  get figures() {
    const tenth = (index: number): number[] =>
      this.#rss.filter(({ share }) => Math.min(9, Math.floor(share * 10)) === index).map(({ bytes }) => bytes);
    return {
      connections: this.#connections,
      mutants: this.#mutants,
      mutations: this.#mutations,
      answers: this.#answers,
      told: { received: this.#received, refused: this.#refused },
      soundExpected: this.expected.size,
      rssBytes: {
        tenths: Array.from({ length: 10 }, (_, index) => median(tenth(index))),
        most: Math.max(...this.#rss.map(({ bytes }) => bytes)),
      },
    };
  }

  /** Plays connections until all mutants are played. The first fault ends it, named with what repeats it. */
  async play(): Promise<void> {
    const { mutants } = this.#options;
    const sample = setInterval(() => this.#sample(), 50);
    try {
      await Promise.all(
        Array.from({ length: atOnce }, async () => {
          while (this.#mutants < mutants) await this.#connection(this.#connections++);
        }),
      );
    } finally {
      clearInterval(sample);
    }
    this.#sample();
  }

  #sample(): void {
    this.#rss.push({ share: this.#mutants / this.#options.mutants, bytes: this.#measure() });
  }

  /** Senders that break off in the middle; nobody can say what was taken of what they sent. */
  async vanish(mutants: number): Promise<void> {
    for (let played = 0; played < mutants; ) {
      const { scenario, below } = this.#scenario(this.#connections++);
      const sender = new RawSender(this.#addresses[scenario.to], false);
      sender.socket.write(scenario.bytes.subarray(0, below(scenario.bytes.length + 1)), () => sender.socket.destroy());
      await sender.closed;
      played += scenario.mutants.length;
    }
  }

  #scenario(index: number): { scenario: Scenario; below: Below } {
    const below = seeded(this.#options.seed + Math.imul(index, 0x9e3779b1));
    const make = kinds[weighted(kindWeights, below)] as (typeof kinds)[number];
    return { scenario: make(index * controlsMax, below), below };
  }

  async #connection(index: number): Promise<void> {
    const { scenario, below } = this.#scenario(index);
    const heard = await exchange(this.#addresses[scenario.to], scenario.bytes, below, `connection ${index}`);
    let counted: Heard;
    try {
      counted = scenario.check(heard);
    } catch (error) {
      const repeat = `SEED=${this.#options.seed}, connection ${index}, to ${scenario.to}`;
      const bytes = scenario.bytes.subarray(0, 3_000).toString('latin1');
      throw new Error(`${repeat}: ${String(error)}\nsent ${JSON.stringify(bytes)}\nheard ${heard.toString('latin1')}`, {
        cause: error,
      });
    }
    for (const names of scenario.mutants) for (const name of names) add(this.#mutations, name);
    for (const name of counted.answers) add(this.#answers, name);
    for (const id of scenario.expected) this.expected.add(id);
    this.#mutants += scenario.mutants.length;
    this.#received += counted.received;
    this.#refused += counted.refused;
  }
}

/** Writes `bytes` in a few pieces, ends the sender's side, and resolves with what came until the daemon ended its own. */
async function exchange(address: string | number, bytes: Buffer, below: Below, name: string): Promise<Buffer> {
  const sender = new RawSender(address, false);
  sender.socket.setNoDelay(true);
  const timer = setTimeout(() => sender.socket.destroy(new Error('late')), endMsMax);
  let late = false;
  sender.socket.once('error', (error) => {
    late = error.message === 'late';
  });
  let offset = 0;
  for (let left = below(4); left > 0; left -= 1) {
    const end = offset + below(bytes.length - offset + 1);
    sender.socket.write(bytes.subarray(offset, end));
    offset = end;
    await new Promise((resolve) => setImmediate(resolve));
  }
  sender.socket.end(bytes.subarray(offset));
  await sender.closed;
  clearTimeout(timer);
  if (late) throw new Error(`${name} was not ended; heard ${sender.text}`);
  return sender.bytes;
}

/** Looks for every sound event in the stream. */
async function readBack(rig: Rig, expected: ReadonlySet<number>): Promise<FuzzReport['sound']> {
  const seen = new Map<number, number>();
  const altered: number[] = [];
  for await (const { data, partitionKey } of rig.simulator.events('orders')) {
    const id = controlOf(Buffer.from(data, 'base64').toString());
    if (id === undefined) continue;
    seen.set(id, (seen.get(id) ?? 0) + 1);
    // Of the lines to the listener without a key field the keys are random.
    if (partitionKey !== controlKey(id) && !/^[0-9a-f]{16}$/.test(partitionKey)) altered.push(id);
  }
  const lost = [...expected].filter((id) => !seen.has(id));
  const twice = [...seen].flatMap(([id, times]) => (times > 1 ? [id] : []));
  return { lost, twice, altered };
}

/** What the daemon logged of note. */
function remarks(log: readonly LogLine[]): string {
  const routine = ['latency', 'ledger', 'requests', 'backlog', 'ready'];
  return log
    .filter(({ kind }) => !routine.includes(kind))
    .slice(-20)
    .map((line) => JSON.stringify(line))
    .join('\n');
}

function add(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}

function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1_024;
}

function openFiles(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}
