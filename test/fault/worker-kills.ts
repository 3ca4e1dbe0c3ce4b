/**
 * Kills the lane workers of a real daemon, one after the other, while it delivers numbered events to a real simulator, and
 * compares what arrived with what was accepted. Used by worker-kills.test.ts and, with more kills, by test/long/worker-kills.ts.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type Ledger, type LogLine, Rig, type RunningDaemon, until } from '../daemon/running.ts';

export const workerFaults = ['exit', 'exception', 'heap'] as const;
export type WorkerFault = (typeof workerFaults)[number];

/** How the daemon's log names the end of a worker that had this fault. */
const causes: Readonly<Record<WorkerFault, RegExp>> = {
  exit: /exit(ed with)? code: 7/,
  exception: /struck by an exception/,
  // Where collecting the heap takes longer than a lane may stand still, it is ended for that before.
  heap: /memory limit|stuck: its loop has not run/,
};

export interface KillPlan {
  readonly kills: number;
  readonly lanes: number;
  /**
   * Least time between two kills. A lane that loses its workers within five seconds of their start waits before it tries the
   * third time; kills that are further apart than five seconds over the lanes never meet that.
   */
  readonly apartMs: number;
}

export interface KillReport {
  readonly accepted: number;
  readonly lost: number;
  readonly duplicated: number;
  /** Events that may have been in flight when a worker was killed, over all kills. */
  readonly inFlight: number;
  readonly ledger: Ledger;
  /** Causes of the losses in the log that are not what was ordered. */
  readonly otherCauses: readonly string[];
  /** From the loss of each worker until its lane worked again. */
  readonly replacedMs: readonly number[];
  /** Of all lanes, as the status counts them. */
  readonly restarts: number;
  readonly exitCode: number | null;
}

const eventsPerKill = 3_000;

export async function killWorkers(ending: Parameters<typeof Rig.start>[0], plan: KillPlan): Promise<KillReport> {
  const rig = await Rig.start(ending);
  await rig.simulator.faults({ latencyMs: 20, latencyJitterMs: 40 });
  const faultSocket = join(rig.directory, 'faults.sock');
  const daemon = await rig.daemon('aggregate_bytes = "16KiB"\nlinger = "20ms"', '', {
    environment: {
      NODE_OPTIONS: `--import ${new URL('./lane-faults.js', import.meta.url).href}`,
      LANE_FAULTS_SOCKET: faultSocket,
      SPILLWAY_DAEMON_LANES: String(plan.lanes),
      SPILLWAY_DAEMON_MEMORY_BUDGET: '1GiB',
    },
  });
  let accepted = 0;
  let inFlight = 0;
  const startMs = performance.now();
  for (let kill = 0; kill < plan.kills; kill++) {
    const sending = rig.send(daemon.socket, kill * eventsPerKill, (kill + 1) * eventsPerKill);
    // Every other worker dies while events come in, the others when all of them are in the rings.
    const underLoad = kill % 2 === 1;
    if (!underLoad) await sending;
    await until(
      async () => performance.now() - startMs,
      (sinceMs) => sinceMs >= kill * plan.apartMs,
    );
    inFlight += (await daemon.ledger()).inFlight + (underLoad ? eventsPerKill : 0);
    await order(faultSocket, workerFaults[kill % workerFaults.length] as WorkerFault);
    await until(
      async () => workerLines(daemon, 'replaced').length,
      (replaced) => replaced === kill + 1,
    );
    accepted += (await sending).accepted;
  }
  const ledger = await until(
    () => daemon.ledger(),
    ({ delivered, inFlight: left, dlq }) => delivered >= accepted && left === 0 && dlq === 0,
  );
  const restarts = (await daemon.status()).lanes.reduce((sum, lane) => sum + lane.restarts, 0);
  const { lost, duplicated } = (await rig.readBack(plan.kills * eventsPerKill)).counts();
  return {
    accepted,
    lost,
    duplicated,
    inFlight,
    ledger,
    otherCauses: workerLines(daemon, 'lost')
      .map(({ cause }) => String(cause))
      .filter((cause, kill) => !causes[workerFaults[kill % workerFaults.length] as WorkerFault].test(cause)),
    replacedMs: workerLines(daemon, 'replaced').map(({ tookMs }) => tookMs as number),
    restarts,
    exitCode: await daemon.stop(),
  };
}

function workerLines(daemon: RunningDaemon, state: 'lost' | 'replaced'): LogLine[] {
  return daemon.log.filter((line) => line.kind === 'worker' && line['state'] === state);
}

/** Strikes the daemon whose LANE_FAULTS_SOCKET this is. */
export async function order(socketPath: string, fault: WorkerFault): Promise<void> {
  const socket = connect(socketPath);
  socket.end(`${fault}\n`);
  await once(socket.resume(), 'close');
}
