/**
 * `spillway sim`: the Kinesis simulator as a process of its own, until Ctrl-C. One JSON line on stdout says where it listens;
 * streams that are not named are not there.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { SpillwayError } from '../base/errors.ts';
import { createSimulator } from '../simulator/simulator.ts';

interface SimOptions {
  readonly listen: string;
  readonly stream: string[];
  readonly tls?: boolean;
  readonly counting?: boolean;
  readonly faults?: string;
  readonly seed?: string;
}

export function command(): Command {
  const gather = (value: string, before: string[]): string[] => [...before, value];
  return new Command('sim')
    .description('run the Kinesis simulator as a process of its own')
    .option('--listen <host:port>', 'address of the API; port 0: any free one', '127.0.0.1:4567')
    .option('--stream <name[:shards]>', 'a stream to begin with; may be repeated', gather, [])
    .option('--tls', 'HTTPS with a certificate made for this run')
    .option('--counting', 'keep and decode nothing: for benchmarks')
    .option('--faults <json>', 'faults to begin with, as POST /_sim/faults takes them')
    .option('--seed <number>', 'of the faults that strike at random')
    .action(run);
}

async function run(options: SimOptions): Promise<void> {
  const { host, port } = address(options.listen);
  const simulator = await createSimulator({
    host,
    port,
    streams: options.stream.map(streamOf),
    tls: options.tls === true,
    counting: options.counting === true,
    ...(options.faults === undefined ? {} : { faults: faultsOf(options.faults) }),
    ...(options.seed === undefined ? {} : { seed: Number(options.seed) }),
  });
  const directory = simulator.certificate === undefined ? undefined : await mkdtemp(join(tmpdir(), 'spillway-sim-'));
  const caFile = directory === undefined ? undefined : join(directory, 'ca.pem');
  if (caFile !== undefined) await writeFile(caFile, simulator.certificate as string);
  const { url, adminUrl } = simulator;
  process.stdout.write(`${JSON.stringify({ msg: 'ready', url, adminUrl, caFile, pid: process.pid })}\n`);
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
  await simulator.close();
  if (directory !== undefined) await rm(directory, { recursive: true, force: true });
}

function address(text: string): { host: string; port: number } {
  const match = /^(?:\[(.+)\]|([^:]+)):([0-9]{1,5})$/.exec(text);
  if (match === null) throw new SpillwayError('usage', `--listen ${text} is no address; write it like 127.0.0.1:4567`);
  return { host: (match[1] ?? match[2]) as string, port: Number(match[3]) };
}

function streamOf(text: string): { name: string; shards: number } {
  const match = /^([a-zA-Z0-9_.-]{1,128})(?::([1-9][0-9]{0,4}))?$/.exec(text);
  if (match === null)
    throw new SpillwayError('usage', `--stream ${text} is no stream; write it like orders or orders:4`);
  return { name: match[1] as string, shards: Number(match[2] ?? 1) };
}

function faultsOf(text: string): object {
  try {
    return JSON.parse(text) as object;
  } catch {
    throw new SpillwayError('usage', `--faults ${text} is not JSON; write it like '{"latencyMs": 50}'`);
  }
}
