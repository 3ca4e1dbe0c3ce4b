/**
 * Runs `check --live` as an operator would, against whatever a test has prepared. Only tests import it; the binary runs in a process
 * of its own with nothing of the caller's environment.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { StreamSpec } from '../../src/simulator/account.ts';
import { startSimulator } from '../../src/simulator/process.ts';
import { type Answers, type ServerOptions, startAnsweringServer } from './answering-server.ts';
import { spillway } from './spillway.ts';

export interface Finding {
  readonly check: string;
  readonly result: 'ok' | 'warning' | 'error';
  readonly cause?: string;
  readonly seen: string;
  readonly cure?: string;
}

export const keys = { AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE', AWS_SECRET_ACCESS_KEY: 'very-secret' };

export interface Given {
  readonly environment?: Readonly<Record<string, string>>;
  /** PEM for ca_file. */
  readonly ca?: string;
}

/** Runs `check --live --json` with lines of a [[stream]] and gives what is not all right. */
export async function checked(t: Test, lines: string, { environment = keys, ca }: Given = {}) {
  const directory = t.testdir(ca === undefined ? {} : { 'ca.pem': ca });
  const file = join(directory, 'spillway.toml');
  const caLine = ca === undefined ? '' : `ca_file = "${directory}/ca.pem"\n`;
  const text = `[[stream]]\nname = "orders"\nregion = "us-east-1"\n${caLine}${lines}\n[[listen]]\nkind = "stdin"\n`;
  writeFileSync(file, text);
  const env = { HOME: directory, AWS_EC2_METADATA_DISABLED: 'true', ...environment };
  const ended = await spillway(['check', '--live', '--json', '--config', file], env);
  t.notMatch(ended.stdout + ended.stderr, 'very-secret');
  const report = JSON.parse(ended.stdout) as { result: string; streams: { findings: Finding[] }[] };
  const findings = report.streams[0]?.findings ?? [];
  return { ...ended, findings, wrong: findings.filter(({ result }) => result !== 'ok') };
}

/** The same against a simulator with one stream "orders" and these faults; `asked`: how many requests of each operation it got. */
export async function simulated(t: Test, faults: object, stream: Partial<StreamSpec> = {}, lines = '') {
  const simulator = await startSimulator({ streams: [{ shards: 4, name: 'orders', ...stream }] });
  try {
    await simulator.faults(faults);
    const report = await checked(t, `endpoint = "${simulator.url}"\n${lines}`);
    const { requests, records } = await simulator.stats();
    return { ...report, asked: requests, accepted: records.accepted };
  } finally {
    await simulator.stop();
  }
}

/** The same against a server with what the simulator does not have: states and keys of a stream, certificates, strange answers. */
export async function answered(
  t: Test,
  answers: Answers,
  options: ServerOptions & Given & { readonly lines?: string } = {},
) {
  const server = await startAnsweringServer(t, answers, options);
  const asked = await checked(t, `endpoint = "${server.url}"\n${options.lines ?? ''}`, options);
  return { ...asked, asked: server.asked };
}

/** Nothing is wrong. */
export const ordinary: Answers = () => undefined;
