/**
 * `spillway sim`: the Kinesis simulator as a process of its own, until Ctrl-C. One JSON line on stdout says where it listens;
 * streams that are not named are not there.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { SpillwayError } from '../base/errors.ts';
import { formatSize, parseSize } from '../base/units.ts';
import type { StreamSpec } from '../simulator/account.ts';
import { planOf } from '../simulator/faults.ts';
import { createSimulator, keepBytesDefault } from '../simulator/simulator.ts';

interface SimOptions {
  readonly listen: string;
  readonly admin: string;
  readonly stream: readonly StreamSpec[];
  readonly tls?: boolean;
  readonly counting?: boolean;
  readonly faults?: string;
  readonly seed?: number;
  readonly keep: number;
  readonly autoCreate?: boolean;
}

/** More than any account has without asking AWS; each shard costs memory and time at the start. */
const shardsMax = 10_000;
const seedMax = 2 ** 32 - 1;

export function command(): Command {
  return new Command('sim')
    .description('run the Kinesis simulator as a process of its own')
    .option('--listen <host:port>', 'address of the API; port 0: any free one', '127.0.0.1:4567')
    .option('--admin <host:port>', 'address of /_sim/ alone, which the fault "refuse" leaves open', '127.0.0.1:0')
    .addOption(
      new Option('--stream <name[:shards]>', 'a stream to begin with; may be repeated')
        .argParser((text, before: StreamSpec[] | undefined) => [...(before ?? []), streamOf(text)])
        .default([], 'none'),
    )
    .option('--auto-create', 'make streams of one shard as requests name them')
    .option('--tls', 'HTTPS with a certificate made for this run; "caFile" of the ready line is to be trusted')
    .option('--counting', 'keep and decode nothing: for benchmarks')
    .addOption(
      new Option('--keep <size>', 'memory for records to read back; the oldest make room')
        .argParser(sizeOf)
        .default(keepBytesDefault, formatSize(keepBytesDefault)),
    )
    .option('--faults <json>', `faults to begin with, as POST /_sim/faults takes them: '{"latencyMs": 50}'`)
    .option('--seed <number>', 'starts the dice of the faults that strike at random (default: 1)', seedOf)
    .action(run);
}

async function run(options: SimOptions): Promise<void> {
  const { host, port } = address('--listen', options.listen);
  const admin = address('--admin', options.admin);
  const names = options.stream.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new SpillwayError('usage', `--stream ${twice} is given twice; name each stream once`);
  const simulator = await createSimulator({
    host,
    port,
    adminHost: admin.host,
    adminPort: admin.port,
    streams: options.stream,
    tls: options.tls === true,
    counting: options.counting === true,
    autoCreate: options.autoCreate === true,
    keepBytes: options.keep,
    ...(options.faults === undefined ? {} : { faults: faultsOf(options.faults, options.seed) }),
    ...(options.seed === undefined ? {} : { seed: options.seed }),
  });
  const caFile = simulator.certificate === undefined ? undefined : await writeCertificate(simulator.certificate);
  const { url, adminUrl } = simulator;
  process.stdout.write(`${JSON.stringify({ msg: 'ready', url, adminUrl, caFile, pid: process.pid })}\n`);
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
  await simulator.close();
  if (caFile !== undefined) await rm(dirname(caFile), { recursive: true, force: true });
}

/** Into a directory of its own; returns the file's path. */
async function writeCertificate(certificate: string): Promise<string> {
  try {
    const caFile = join(await mkdtemp(join(tmpdir(), 'spillway-sim-')), 'ca.pem');
    await writeFile(caFile, certificate);
    return caFile;
  } catch (cause) {
    const message = `cannot write the certificate below ${tmpdir()}: ${(cause as Error).message}; set TMPDIR to a directory that you may write to`;
    throw new SpillwayError('cannot_write', message, { cause });
  }
}

function address(flag: string, text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:]+)):([0-9]{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    throw new SpillwayError('usage', `${flag} ${text} is no address; write it like 127.0.0.1:4567 or [::1]:4567`);
  }
  return { host: (match[1] ?? match[2]) as string, port };
}

/** For commander, which prints the message behind the flag and its value. */
function streamOf(text: string): StreamSpec {
  const match = /^([a-zA-Z0-9_.-]{1,128})(?::([1-9][0-9]*))?$/.exec(text);
  const shards = Number(match?.[2] ?? 1);
  if (match === null || shards > shardsMax) {
    throw new InvalidArgumentError(`Write it like orders or orders:4, with up to ${shardsMax} shards.`);
  }
  return { name: match[1] as string, shards };
}

function sizeOf(text: string): number {
  try {
    return parseSize(text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

function seedOf(text: string): number {
  const seed = /^[0-9]+$/.test(text) ? Number(text) : Number.NaN;
  if (!(seed <= seedMax)) throw new InvalidArgumentError(`Give a whole number from 0 to ${seedMax}.`);
  return seed;
}

function faultsOf(text: string, seed: number | undefined): object {
  let faults: unknown;
  try {
    faults = JSON.parse(text);
  } catch {
    throw new SpillwayError('usage', `--faults ${text} is not JSON; write it like '{"latencyMs": 50}'`);
  }
  const planned = planOf(faults, seed ?? 0);
  if ('mistakes' in planned) throw new SpillwayError('usage', `--faults: ${planned.mistakes.join('; ')}`);
  return faults as object;
}
