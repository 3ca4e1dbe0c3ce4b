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
import { toPlainError } from '../base/errors.ts';
import { mistakesShownMax } from '../base/limits.ts';
import { type Config, type LoadedConfig, requireConfig, withEndpoint } from '../daemon/config.ts';
import type { Daemon } from '../daemon/daemon.ts';
import { loadNamed } from '../daemon/load.ts';
import { mistakeLine } from '../daemon/mistakes.ts';
import type { ServiceNotices } from '../daemon/service-notices.ts';
import { systemClock } from '../edges/clock.ts';
import { hostName } from '../edges/host.ts';
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
    // All is closed, and the log has had its time. A stdout that nobody reads would keep the process for ever. What was thrown
    // is reported before: it sets the exit code.
    setImmediate(() => process.exit());
  }
}

async function runDaemon(options: RunOptions, embeddedStateDir: string | undefined): Promise<void> {
  // The lanes inherit it: the SDK would print a warning about this version of Node for each of them.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';
  const reloads = new Reloads();
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
  const ofSimulator = (config: Config): Config =>
    simulator === undefined ? config : withEndpoint(config, simulator.url, simulator.caFile);
  const daemon = new Daemon({
    workers,
    config: ofSimulator(loaded),
    log,
    inherited,
    clock: systemClock,
    random: systemRandom,
    version,
    host: hostName(),
    processStartMs: performance.timeOrigin,
    ...(simulator === undefined ? {} : { credentials: { accessKeyId: 'embedded', secretAccessKey: 'embedded' } }),
  });
  let notices: ServiceNotices | undefined;
  try {
    const ended = Promise.race([signalled(), daemon.inputEnd()]);
    await daemon.start();
    notices = await openNotices(managed, daemon, log);
    notices?.ready();
    reloads.begin(() => {
      notices?.reloading();
      reload(daemon, log, loadedAgain(options.config, embeddedStateDir), ofSimulator);
      notices?.ready();
    });
    if (simulator !== undefined) {
      log.info('config', `simulator inside; read events back from ${simulator.adminUrl}/_sim/events?stream=NAME`, {
        details: { endpoint: simulator.url, admin: simulator.adminUrl },
      });
    }
    const cause = await ended;
    reloads.end();
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

/** SIGHUPs. One that comes before there is anything to reload is heeded as soon as there is; from the stop on they mean nothing. */
class Reloads {
  #isDue = false;
  #reload = (): void => {
    this.#isDue = true;
  };

  constructor() {
    process.on('SIGHUP', () => this.#reload());
  }

  begin(reloading: () => void): void {
    this.#reload = reloading;
    if (this.#isDue) reloading();
  }

  end(): void {
    this.#reload = () => {};
  }
}

/** A configuration that cannot be read is one with a single mistake. */
function loadedAgain(named: string | undefined, embeddedStateDir: string | undefined): LoadedConfig {
  try {
    return loadNamed(named, embeddedStateDir);
  } catch (error) {
    return { ok: false, mistakes: [{ place: '', key: '', cure: toPlainError(error).message }] };
  }
}

/** Takes over what may change, and says in one line what has become of it. */
function reload(daemon: Daemon, log: Log, loaded: LoadedConfig, adapted: (config: Config) => Config): void {
  if (!loaded.ok) {
    const mistakes = loaded.mistakes.slice(0, mistakesShownMax).map(mistakeLine);
    const count = loaded.mistakes.length === 1 ? '1 mistake' : `${loaded.mistakes.length} mistakes`;
    log.error('config', `not reloaded: ${count} in the configuration; the one before stays in force`, { mistakes });
    return;
  }
  const { changed, restart } = daemon.reload(adapted(loaded.config));
  const said = changed.length === 0 ? 'reloaded: nothing changed' : `reloaded: ${changed.join(', ')}`;
  if (restart.length === 0) log.info('config', said, { changed });
  else log.warn('config', `${said}; only a restart changes ${restart.join(', ')}`, { changed, restart });
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
      alerts: () => daemon.activeAlerts,
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
