/**
 * `spillway send`: lines of files or of stdin to a running daemon, each line an event. A sender like any other: it runs beside
 * the daemon, knows it only by its socket or its HTTP address, and says at the end what became of every line.
 *
 * Long because options, progress and summary belong to one command.
 */
import { constants, createReadStream } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { SingleBar } from 'cli-progress';
import { Command, InvalidArgumentError, Option } from 'commander';
import { SpillwayError, toPlainError } from '../base/errors.ts';
import type { EventSender, SendTally } from '../client/event-sender.ts';
import { openFrameSender } from '../client/frame-sender.ts';
import { openHttpSender } from '../client/http-sender.ts';
import { JsonField } from '../client/json-field.ts';
import { lineBatches, type NumberedLine } from '../client/line-batches.ts';
import { Pacer } from '../client/pacer.ts';
import { type AccessFlags, accessOf, withAccessFlags } from './http-access.ts';

/** Where the command reads and writes, and how it learns of Ctrl-C; the process itself unless a test gives another. */
export interface SendProcess {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable & { readonly isTTY?: boolean };
  readonly env: Readonly<Record<string, string | undefined>>;
  on(event: 'SIGINT', listener: () => void): unknown;
  off(event: 'SIGINT', listener: () => void): unknown;
}

const ackLevels = ['memory', 'disk', 'stream'] as const;

interface SendOptions extends AccessFlags {
  readonly to?: string;
  readonly stream?: string;
  readonly key?: string;
  readonly rate?: number;
  readonly ack: (typeof ackLevels)[number];
  readonly retries: number;
  readonly wait?: true;
  readonly json?: true;
}

const addressDefault = '/run/spillway/spillway.sock';
/** Longer than any record of Kinesis; bounds what one line without an end can hold in memory. */
const lineBytesMax = 16 * 1024 * 1024;

export function command(surroundings: SendProcess = process): Command {
  const sending = new Command('send')
    .description('send lines of a file or of stdin to a running daemon')
    .argument('[file...]', 'files with one event per line; "-" or none: stdin')
    .option(
      '--to <address>',
      `socket path, http://host:port or https://... (default: $SPILLWAY_SOCKET, else ${addressDefault})`,
    )
    .option('--stream <name>', "stream, as the daemon's config names it (default: the listener's)")
    .option(
      '--key <field>',
      'take the partition key from this field of JSON lines, as in user.id (default: random keys)',
    )
    .addOption(new Option('--rate <events/s>', 'send at most so many events per second').argParser(rate))
    .addOption(new Option('--ack <level>', 'what an ack shall mean').choices(ackLevels).default('memory'))
    .addOption(new Option('--retries <n>', 'send a refused event again so often').argParser(wholeNumber).default(10))
    .option('--wait', 'send refused events again until they are taken')
    .option('--json', 'print the summary as JSON on stdout');
  return withAccessFlags(sending).action((files: string[], options: SendOptions) =>
    send(files.length > 0 ? files : ['-'], options, surroundings),
  );
}

async function send(files: readonly string[], options: SendOptions, surroundings: SendProcess): Promise<void> {
  const sources = await Promise.all(files.map((file) => openSource(file, surroundings.stdin)));
  const sender = await openSender(options, surroundings);
  const run = new Run(sender, options, sources, surroundings);
  const startMs = performance.now();
  let failure: unknown;
  try {
    await run.pump();
  } catch (error) {
    failure = error;
  }
  const seconds = (performance.now() - startMs) / 1_000;
  summarize(sender.tally, seconds, options, surroundings);
  if (run.interrupted) throw new SpillwayError('interrupted', 'interrupted; what was not read was not sent');
  if (failure !== undefined) throw failure instanceof Error ? failure : new Error(String(failure));
  const { refused, events } = sender.tally;
  if (refused > 0) throw new SpillwayError('events_refused', `${refused} of ${events} events were refused for good`);
}

interface Source {
  /** As a refusal names it. */
  readonly name: string;
  /** Not before its turn: a stream that nobody reads would fail where nobody looks. */
  readonly open: () => Readable;
  /** 0: unknown. */
  readonly bytes: number;
}

async function openSource(file: string, stdin: Readable): Promise<Source> {
  if (file === '-') return { name: 'stdin', open: () => stdin, bytes: 0 };
  const facts = await stat(file).catch((error: unknown) => {
    throw unreadable(file, error);
  });
  if (facts.isDirectory()) throw unreadable(file, Object.assign(new Error(), { code: 'EISDIR' }));
  await access(file, constants.R_OK).catch((error: unknown) => {
    throw unreadable(file, error);
  });
  return { name: file, open: () => createReadStream(file, { highWaterMark: 262_144 }), bytes: facts.size };
}

function unreadable(file: string, cause: unknown): SpillwayError {
  const { code, message } = toPlainError(cause);
  const cures: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such file',
    EACCES: 'no permission: run as a user that may read it',
    EISDIR: 'it is a directory: name the files in it',
  };
  return new SpillwayError('file_unreadable', `cannot read ${file}: ${cures[code] ?? message}`, {
    fields: { file },
    cause,
  });
}

function openSender(options: SendOptions, { env }: SendProcess): Promise<EventSender> {
  const to = options.to ?? env['SPILLWAY_SOCKET'] ?? addressDefault;
  const rules = {
    retriesMax: options.wait === true ? Number.POSITIVE_INFINITY : options.retries,
    sleep: async (ms: number): Promise<void> => {
      await sleep(ms);
    },
  };
  const gate = accessOf(to, options);
  if (!/^https?:\/\//.test(to)) {
    // A relative path may have a colon too; one that looks like an address and is no file is one.
    if (/^[^/]+:\d+$/.test(to))
      throw new SpillwayError('usage', `--to ${to} is neither a path nor a URL: write http://${to}`);
    const stream = options.stream === undefined ? {} : { stream: options.stream };
    return openFrameSender({ path: to, ack: options.ack, ...stream }, rules);
  }
  if (options.stream === undefined)
    throw new SpillwayError('usage', `--to ${to} needs --stream: HTTP has no default stream`);
  if (options.key !== undefined) {
    const message = `--key goes with a socket; over HTTP the daemon's own key_field decides`;
    throw new SpillwayError('usage', message, { fields: { key: options.key } });
  }
  return openHttpSender({ origin: to, access: gate, stream: options.stream, ack: options.ack }, rules);
}

/** One run of the command: feeds the sender, shows how far it is, stops in good order. */
class Run {
  interrupted = false;
  readonly #sender: EventSender;
  readonly #sources: readonly Source[];
  readonly #surroundings: SendProcess;
  readonly #pacer: Pacer | undefined;
  readonly #field: JsonField | undefined;
  readonly #stop = new AbortController();

  constructor(sender: EventSender, options: SendOptions, sources: readonly Source[], surroundings: SendProcess) {
    this.#sender = sender;
    this.#sources = sources;
    this.#surroundings = surroundings;
    this.#field = options.key === undefined ? undefined : new JsonField(options.key);
    this.#pacer = options.rate === undefined ? undefined : new Pacer(options.rate, () => performance.now());
  }

  async pump(): Promise<void> {
    const onSignal = () => this.#interrupt();
    this.#surroundings.on('SIGINT', onSignal);
    const bar = this.#progress();
    try {
      for (const source of this.#sources) await this.#feed(source, bar);
      await this.#sender.finish();
    } finally {
      bar?.stop();
      this.#surroundings.off('SIGINT', onSignal);
      this.#sender.destroy();
    }
  }

  async #feed({ open, name }: Source, bar: SingleBar | undefined): Promise<void> {
    const { tally } = this.#sender;
    const stream = open();
    this.#stop.signal.addEventListener('abort', () => stream.destroy(), { once: true });
    try {
      for await (const { lines, bytesRead, tooLong } of lineBatches(stream, lineBytesMax)) {
        for (const line of tooLong) {
          tally.events += 1;
          tally.refuse('event_too_large', `longer than ${lineBytesMax} bytes, as no event may be`, {
            file: name,
            line,
          });
        }
        for (const line of lines) {
          if (this.interrupted) return;
          const room = this.#one(line, name);
          if (room !== undefined) await room;
        }
        bar?.increment(bytesRead, { events: tally.events, refused: tally.refused });
      }
    } catch (error) {
      // An interrupted read ends early; that is what was asked for.
      if (!this.interrupted) throw error;
    } finally {
      stream.destroy();
    }
  }

  /** Undefined when the next line may follow at once: a promise per line would cost more than sending it. */
  #one({ bytes, number }: NumberedLine, file: string): Promise<void> | undefined {
    const origin = { file, line: number };
    const found = this.#field?.keyOf(bytes);
    if (found?.kind === 'refused') {
      this.#sender.tally.events += 1;
      this.#sender.tally.refuse(found.code, found.message, origin);
      return undefined;
    }
    const room = this.#sender.send(found?.key, bytes, origin);
    const waitMs = this.#pacer?.next() ?? 0;
    if (waitMs > 0) return this.#pause(waitMs).then(() => this.#sender.room());
    return room ? undefined : this.#sender.room();
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#stop.signal }).catch(() => {});
  }

  /** The first Ctrl-C stops reading and waits for what is under way, the second does not wait. */
  #interrupt(): void {
    if (this.interrupted) {
      this.#sender.destroy();
      return;
    }
    this.interrupted = true;
    this.#sender.giveUp();
    this.#stop.abort();
  }

  #progress(): SingleBar | undefined {
    const { stderr } = this.#surroundings;
    if (stderr.isTTY !== true) return undefined;
    const total = this.#sources.reduce((sum, { bytes }) => sum + bytes, 0);
    const format =
      total > 0
        ? '{bar} {percentage} % | {events} events, {refused} refused | {eta_formatted} left'
        : '{events} events, {refused} refused | {duration_formatted}';
    const bar = new SingleBar({ format, stream: stderr, hideCursor: true, clearOnComplete: true });
    bar.start(total, 0, { events: 0, refused: 0 });
    return bar;
  }
}

function summarize(tally: SendTally, seconds: number, options: SendOptions, { stdout, stderr }: SendProcess): void {
  const { events, bytes, accepted, onDisk, pending, resent, unknown, refused, refusedByCode, refusedLines } = tally;
  const eventsPerSecond = Math.round(events / Math.max(seconds, 0.001));
  if (options.json === true) {
    const counts = { events, bytes, accepted, onDisk, pending, refused, refusedByCode, resent, unknown };
    const summary = { ...counts, refusedLines, seconds, eventsPerSecond };
    stdout.write(`${JSON.stringify(summary)}\n`);
    return;
  }
  for (const { file, line, code, message } of refusedLines) stderr.write(`${file}:${line}: ${code}: ${message}\n`);
  if (refused > refusedLines.length) stderr.write(`… and ${refused - refusedLines.length} more\n`);
  const codes = Object.entries(refusedByCode).map(([code, count]) => `${count} ${code}`);
  const parts = [
    `${events} events, ${bytes} bytes in ${seconds.toFixed(2)} s (${eventsPerSecond}/s)`,
    `${accepted} accepted`,
    ...(onDisk > 0 ? [`of them ${onDisk} on the daemon's disk`] : []),
    ...(pending > 0 ? [`of them ${pending} not delivered within its ack_timeout`] : []),
    codes.length === 0 ? '0 refused' : `${refused} refused (${codes.join(', ')})`,
    ...(resent > 0 ? [`${resent} sent again`] : []),
    ...(unknown > 0 ? [`${unknown} with unknown outcome`] : []),
  ];
  stderr.write(`${parts.join('; ')}\n`);
}

function rate(text: string): number {
  const value = Number(text.replace(/\/s$/, ''));
  if (!(value > 0) || !Number.isFinite(value))
    throw new InvalidArgumentError('events per second, as in 1000 or 1000/s');
  return value;
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError('a whole number, 0 or more');
  return value;
}
