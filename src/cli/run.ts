/**
 * `spillway run`: the daemon in the foreground, until a signal or the end of its input. Main thread.
 *
 * Only what the configuration needs is imported at once: lane workers take longest to load, so they are started as soon as
 * their number is known, and the rest of the daemon is loaded beside them (ready after 0.3 s instead of 0.6).
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { type Config, requireConfig, withEndpoint } from '../daemon/config.ts';
import { loadNamed } from '../daemon/load.ts';
import type { Daemon } from '../daemon/daemon.ts';
import type { ServiceNotices } from '../daemon/service-notices.ts';
import { systemClock } from '../edges/clock.ts';
import { takeInheritedSockets } from '../edges/inherited-sockets.ts';
import { systemRandom } from '../edges/random.ts';
import { openServiceManager, type ServiceManager } from '../edges/service-manager.ts';
import { version } from '../edges/version.ts';
import type { Log } from '../observe/log.ts';
import type { SimulatorProcess } from '../simulator/process.ts';
import { startWorkers } from '../threads/workers.ts';

interface RunOptions {
  readonly config?: string;
  readonly embedded?: boolean;
  readonly stateDir?: string;
}

/** Shards of each stream of the simulator inside. */
const embeddedShards = 4;

/** Log lines that stdout has not taken by then are lost, and counted. */
const logCloseMs = 1_000;

export function command(): Command {
  return new Command('run')
    .description('run the daemon in the foreground')
    .option('-c, --config <file>', 'configuration (default: $SPILLWAY_CONFIG, /etc/spillway/spillway.toml)')
    .option('-e, --embedded', 'deliver to a Kinesis simulator inside, for trying out; needs no configuration')
    .option(
      '--state-dir <dir>',
      'with --embedded and no configuration: where the DLQ lives (default: a temporary directory)',
    )
    .action(run);
}

async function run(options: RunOptions): Promise<void> {
  const embedded = options.embedded === true;
  const temporary = embedded && options.stateDir === undefined ? await mkdtemp(join(tmpdir(), 'spillway-')) : undefined;
  try {
    await runDaemon(options, embedded ? (options.stateDir ?? temporary) : undefined);
  } finally {
    if (temporary !== undefined) await rm(temporary, { recursive: true, force: true });
  }
}

async function runDaemon(options: RunOptions, embeddedStateDir: string | undefined): Promise<void> {
  // The lanes inherit it: the SDK would print a warning about this version of Node for each of them.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';
  const inherited = takeInheritedSockets(process.env, process.pid);
  const managed = openServiceManager(process.env, process.pid);
  // Judged when there is a log to tell it in.
  managed.catch(() => {});
  const loaded = requireConfig(loadNamed(options.config, embeddedStateDir));
  const workers = startWorkers(loaded.daemon.lanes);
  const { Daemon } = await import('../daemon/daemon.ts');
  const { createLog } = await import('../observe/log.ts');
  const log = createLog({ level: loaded.log.level, nowMs: () => systemClock.nowMs() });
  const simulator = embeddedStateDir === undefined ? undefined : await startInside(loaded);
  const config = simulator === undefined ? loaded : withEndpoint(loaded, simulator.url, simulator.caFile);
  const daemon = new Daemon({
    workers,
    config,
    log,
    inherited,
    clock: systemClock,
    random: systemRandom,
    version,
    processStartMs: performance.timeOrigin,
    ...(simulator === undefined ? {} : { credentials: { accessKeyId: 'embedded', secretAccessKey: 'embedded' } }),
  });
  let notices: ServiceNotices | undefined;
  try {
    const ended = Promise.race([signalled(), daemon.inputEnd()]);
    await daemon.start();
    notices = await openNotices(managed, daemon, log);
    notices?.ready();
    if (simulator !== undefined) {
      log.info('config', `simulator inside; read events back from ${simulator.adminUrl}/_sim/events?stream=NAME`, {
        details: { endpoint: simulator.url, admin: simulator.adminUrl },
      });
    }
    const cause = await ended;
    notices?.stopping();
    await daemon.stop(cause);
  } catch (error) {
    await daemon.stop('failed').catch(() => {});
    throw error;
  } finally {
    notices?.close();
    await simulator?.stop();
    await log.close(logCloseMs);
  }
}

/** Undefined: no service manager has started this process, or none can be told anything, which is logged. */
async function openNotices(
  managed: Promise<ServiceManager | undefined>,
  daemon: Daemon,
  log: Log,
): Promise<ServiceNotices | undefined> {
  try {
    const manager = await managed;
    if (manager === undefined) return undefined;
    const { ServiceNotices } = await import('../daemon/service-notices.ts');
    return new ServiceNotices({
      manager,
      nowMs: () => systemClock.nowMs(),
      overview: () => daemon.overview(),
      isWell: () => daemon.isWell,
      onWell: (isWell) => {
        const fields = { code: 'lane_stuck', retryable: true };
        if (isWell) log.info('error', 'all lanes work again', fields);
        else log.error('error', 'a lane is stuck and its worker cannot be replaced: the watchdog is not fed', fields);
      },
    });
  } catch (error) {
    log.failure(error);
    return undefined;
  }
}

async function startInside({ streams }: Config): Promise<SimulatorProcess> {
  const { startSimulator } = await import('../simulator/process.ts');
  return startSimulator({ streams: streams.map(({ streamName }) => ({ name: streamName, shards: embeddedShards })) });
}

/** Resolves at the first SIGINT or SIGTERM; later ones are ignored, the drain has its own time limit. */
function signalled(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => resolve(signal));
  });
}
