/**
 * Puts the simulator together: one account, one set of faults, two ports (the API, which the fault `refuse` closes, and the
 * admin API, which stays). The simulator's only thread; started by entry.ts and by `spillway sim`.
 */
import { SpillwayError } from '../base/errors.ts';
import { Account, type StreamSpec } from './account.ts';
import { AdminApi, type AdminParts } from './admin.ts';
import { KinesisApi } from './api.ts';
import { Dice } from './dice.ts';
import type { Application } from './exchange.ts';
import { type FaultPlan, noFaults, planOf } from './faults.ts';
import { setClockOffset } from './headers.ts';
import { Listener } from './listener.ts';
import { Resharder } from './resharder.ts';
import { Tally } from './tally.ts';

/** Records kept for reading back when nothing else is said, in bytes. */
export const keepBytesDefault = 1024 ** 3;

export interface SimulatorOptions {
  readonly streams: readonly StreamSpec[];
  readonly host?: string;
  /** 0 or absent: any free one. */
  readonly port?: number;
  readonly adminHost?: string;
  /** 0 or absent: any free one. */
  readonly adminPort?: number;
  readonly tls?: boolean;
  /** Keeps and decodes nothing: for benchmarks. */
  readonly counting?: boolean;
  readonly faults?: object;
  readonly seed?: number;
  readonly autoCreate?: boolean;
  readonly keepBytes?: number;
}

/** Where a running simulator is reached. */
export interface SimulatorAddress {
  readonly url: string;
  readonly adminUrl: string;
  /** PEM of the certificate to trust; undefined without TLS. */
  readonly certificate: string | undefined;
}

export interface Simulator extends SimulatorAddress {
  close(): Promise<void>;
}

/** Starts both ports. Rejects when one cannot be had, or when the faults are not understood. */
export async function createSimulator(options: SimulatorOptions): Promise<Simulator> {
  const { host = '127.0.0.1', port = 0, adminHost = '127.0.0.1', seed, counting = false, autoCreate = false } = options;
  const initial = planOf(options.faults ?? {}, seed ?? noFaults().seed);
  if ('mistakes' in initial) throw new SpillwayError('bad_faults', initial.mistakes.join('; '));
  const account = new Account(options.streams, autoCreate, options.keepBytes ?? keepBytesDefault);
  const dice = new Dice(initial.plan);
  const tally = new Tally();
  // Loaded when it is needed: the packages that make certificates take longer to load than all the rest to start.
  const keyPair = options.tls === true ? await (await import('./certificate.ts')).createKeyPair() : undefined;
  const resharder = new Resharder(account, dice);
  const enforce = (plan: FaultPlan): Promise<void> => {
    dice.load(plan);
    resharder.follow(plan);
    setClockOffset(plan.clockOffsetMs);
    return refuse(plan.refuse);
  };
  const parts: AdminParts = { account, dice, tally, seed: initial.plan.seed, enforce };
  const admin = new AdminApi(parts);
  const kinesis = new KinesisApi({ account, dice, tally, keep: !counting });
  const both: Application = { open: (head) => (head.path.startsWith('/_sim/') ? admin : kinesis).open(head) };
  const unseen = { openConnections: 0, openedConnections: 0, tlsConnections: 0 };
  const api = new Listener(host, port, keyPair, both, tally);
  const adminPort = new Listener(adminHost, options.adminPort ?? 0, undefined, admin, unseen);
  // One change of the port after the other: a port that is still closing cannot be opened.
  let changed = Promise.resolve();
  const refuse = (refused: boolean): Promise<void> => {
    const change = async (): Promise<void> => {
      if (refused && api.listening) await api.close();
      else if (!refused && !api.listening) await api.listen();
    };
    changed = changed.then(change, change);
    return changed;
  };
  await adminPort.listen();
  await api.listen().catch(async (error: unknown) => {
    await adminPort.close();
    throw error;
  });
  await enforce(initial.plan);
  return {
    url: urlOf(keyPair === undefined ? 'http' : 'https', api.address),
    adminUrl: urlOf('http', adminPort.address),
    certificate: keyPair?.certificate,
    close: async () => {
      resharder.stop();
      await Promise.all([api.listening ? api.close() : undefined, adminPort.close()]);
    },
  };
}

function urlOf(scheme: string, { host, port }: { readonly host: string; readonly port: number }): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
