/**
 * The daemon: makes its parts, wires them, and ends them in good order. Main thread; `run` starts one.
 *
 *   starting ─▶ ready ─▶ draining ─▶ stopped          (one state variable; every move is logged)
 *
 * Draining: listeners stop and answer what they read, lanes deliver without lingering for at most drain_timeout, what is then
 * still in a ring goes to the DLQ, the DLQ closes. Nothing that was acknowledged is only in memory when the process ends.
 *
 * Long because it is the one place that knows all parts and how they are wired; each method makes or ends one part.
 */
import { SpillwayError, toPlainError } from '../base/errors.ts';
import { type BreakerState, breakerStateNames } from '../breaker/breaker.ts';
import { SaturationBreaker } from '../breaker/saturation.ts';
import type { Dlq } from '../dlq/dlq.ts';
import type { DurableLogs } from '../dlq/durable-logs.ts';
import { Kind } from '../dlq/layout.ts';
import { Reason, reasonName } from '../dlq/reasons.ts';
import { Appended } from '../dlq/series.ts';
import type { Clock } from '../edges/clock.ts';
import { realFiles } from '../edges/files.ts';
import type { InheritedSocket } from '../edges/inherited-sockets.ts';
import { processUsage } from '../edges/process-usage.ts';
import type { Random } from '../edges/random.ts';
import { socketFiles } from '../edges/socket-files.ts';
import { Admission, type AdmissionRing } from '../ingress/admission.ts';
import { Deliveries } from '../ingress/deliveries.ts';
import { DiskAcks } from '../ingress/disk-acks.ts';
import { Fate } from '../ingress/watch.ts';
import { MainCounter, MainCounters } from '../observe/counters.ts';
import { createLatencyRecorder, Latency, type LatencyRecorder } from '../observe/latency.ts';
import { LedgerReader } from '../observe/ledger.ts';
import type { Log } from '../observe/log.ts';
import { type Arena, createArena } from '../ring/arena.ts';
import { RingConsumer } from '../ring/consumer.ts';
import { EntryState, entry, type RingPlace, stateMask } from '../ring/layout.ts';
import { RingProducer } from '../ring/producer.ts';
import type { FromLane } from '../threads/messages.ts';
import { type ArenaPlan, planArena, randomKeyBytes } from '../threads/plan.ts';
import { LanePool } from '../threads/pool.ts';
import { beatMs } from '../threads/pulse.ts';
import type { startWorkers } from '../threads/workers.ts';
import { Alerting } from './alerting.ts';
import type { Config, ListenConfig } from './config.ts';
import { Control } from './control.ts';
import { controlPath } from './control-messages.ts';
import { type Credentials, deliveryOptions, planInput, saturationOptions } from './demand.ts';
import { FailureLog } from './failure-log.ts';
import { Gauges } from './gauges.ts';
import { openListeners, type RunningListener } from './listeners.ts';
import type { OrderedSpill } from './ordered-spill.ts';
import { createOrders } from './orders.ts';
import { overflowInto } from './overflow.ts';
import type { Overview } from './overview.ts';
import { planReload, type Reload } from './reload.ts';
import { Replayer } from './replayer.ts';
import { Returns } from './returns.ts';
import { openState } from './state.ts';
import type { StateLock } from './state-lock.ts';
import type { Status } from './status.ts';
import { StreamReplay } from './stream-replay.ts';
import { Telemetry } from './telemetry.ts';

/** How often breakers are asked without traffic: a tenth of the time in which one must open. */
const refreshMs = 10;

export interface DaemonOptions {
  /** One per lane, loading already; ended by {@link Daemon.stop}. */
  readonly workers: ReturnType<typeof startWorkers>;
  readonly config: Config;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  readonly version: string;
  /** Named in what is told of alerts. */
  readonly host: string;
  /** Listening sockets that the service manager holds. */
  readonly inherited: readonly InheritedSocket[];
  /** For the simulator inside; absent: the SDK's credential chain. */
  readonly credentials?: Credentials;
  /** When the process started, milliseconds since the epoch: `ready` says how long it took. */
  readonly processStartMs: number;
}

export class Daemon {
  #options: DaemonOptions;
  readonly #plan: ArenaPlan;
  readonly #arena: Arena;
  readonly #counters: MainCounters;
  readonly #failures: FailureLog;
  readonly #startedMs: number;
  #state: 'starting' | 'ready' | 'draining' | 'stopped' = 'starting';
  /** By lane, then by stream. */
  #rings: AdmissionRing[] = [];
  #listeners: RunningListener[] = [];
  #timers: NodeJS.Timeout[] = [];
  /** Of the periodic log lines. */
  #telling: NodeJS.Timeout | undefined;
  #stopping: Promise<void> | undefined;
  #dlq!: Dlq;
  #pool!: LanePool;
  #admission!: Admission;
  #deliveries!: Deliveries;
  #diskAcks!: DiskAcks;
  #logs!: DurableLogs;
  #returns!: Returns;
  #lock: StateLock | undefined;
  #control: Control | undefined;
  #replayer!: Replayer;
  #replays: StreamReplay[] = [];
  /** By stream; filled when all parts are there. */
  readonly #orders: (OrderedSpill | undefined)[] = [];
  #gauges!: Gauges;
  #telemetry!: Telemetry;
  #alerting: Alerting | undefined;
  #onInputEnd: (() => void) | undefined;

  constructor(options: DaemonOptions) {
    this.#options = options;
    this.#startedMs = options.clock.nowMs();
    this.#failures = new FailureLog(options.log, options.config.streams, () => options.clock.nowMs());
    this.#plan = planArena(planInput(options.config));
    this.#arena = createArena(this.#plan.length);
    this.#counters = new MainCounters(this.#arena, this.#plan.mainCounters);
  }

  /** Starts everything; resolves when events are accepted. Throws SpillwayErrors that name what cannot be had, and the cure. */
  async start(): Promise<void> {
    const { config, log, clock, version } = this.#options;
    this.#rings = this.#plan.lanes.flatMap(({ streams, breakers }, lane) =>
      streams.map(({ ring }, stream) => this.#createRing(lane, stream, ring, (breakers >>> 2) + stream)),
    );
    const latency = createLatencyRecorder();
    this.#admission = this.#createAdmission(latency.record.bind(latency, Latency.ingressToRing));
    this.#deliveries = new Deliveries({
      arena: this.#arena,
      wantedOffset: this.#plan.wanted,
      rings: this.#rings.map(({ ring }) => ring),
      streams: config.streams.length,
      admission: this.#admission,
    });
    this.#pool = this.#createPool();
    const lanesReady = this.#pool.start();
    const { lock, dlq } = await openState({
      config,
      plan: this.#plan,
      arena: this.#arena,
      counters: this.#counters,
      clock,
      random: this.#options.random,
      log,
    });
    this.#lock = lock;
    this.#dlq = dlq;
    this.#diskAcks = this.#openJournal(latency);
    this.#returns = this.#createReturns();
    const ledger = this.#createLedger();
    this.#gauges = this.#createGauges(ledger);
    this.#telemetry = this.#createTelemetry(latency, ledger);
    this.#replayer = this.#createReplayer();
    this.#orders.push(...this.#createOrders());
    await lanesReady;
    await this.#lock?.confirm();
    this.#listeners = await this.#openListeners();
    this.#control = await this.#openControl();
    this.#replayer.start();
    this.#timers = [
      setInterval(() => this.#refresh(), refreshMs),
      setInterval(() => this.#state === 'ready' && this.#pool.beat(), beatMs),
    ];
    this.#everyInterval();
    this.#alerting = this.#createAlerting();
    this.#state = 'ready';
    log.info('ready', 'ready', {
      listeners: this.#listeners.map(({ address }) => address),
      streams: config.streams.map(({ name }) => name),
      lanes: config.daemon.lanes,
      tookMs: Math.round(clock.nowMs() - this.#options.processStartMs),
      version,
      stateDir: config.daemon.stateDir,
    });
  }

  /** Addresses of the listeners, in the order of the config. */
  get addresses(): string[] {
    return this.#listeners.map(({ address }) => address);
  }

  status(): Status {
    return this.#telemetry.status(this.#state);
  }

  /** Names of those that are active. */
  get activeAlerts(): readonly string[] {
    return this.#alerting?.active ?? [];
  }

  overview(): Overview {
    return this.#telemetry.overview();
  }

  /** Takes over what of a new configuration may change without a restart, and says what does not. */
  reload(next: Config): Reload {
    const plan = planReload(this.#options.config, next);
    if (this.#state !== 'ready') return plan;
    const renewed = this.#listeners.flatMap((listener) => listener.renew?.() ?? []);
    if (plan.changed.length > 0) this.#takeOver(plan);
    return { ...plan, changed: [...plan.changed, ...renewed] };
  }

  #takeOver({ config }: Reload): void {
    const { log, credentials, config: before } = this.#options;
    this.#options = { ...this.#options, config };
    log.level = config.log.level;
    for (const { ring, saturation } of this.#rings) saturation.retune(saturationOptions(config, ring.capacity));
    this.#pool.retune(config.streams.map((stream) => deliveryOptions(config, stream, credentials)));
    this.#replays.forEach((replay, i) => replay.retune(config.breaker.openAfterMs, config.streams[i]?.lingerMs ?? 0));
    const { maxBytes, whenFull, maxAgeMs } = config.dlq;
    this.#dlq.retune({ maxBytes, whenFull, maxAgeMs });
    this.#listeners.forEach((listener, i) => listener.retune?.(config.listeners[i] as ListenConfig));
    this.#everyInterval();
    this.#alerting?.reload(config, before.notify);
  }

  /** Every lane works; a worker that is stuck is being replaced. */
  get isWell(): boolean {
    return this.#pool.isWell;
  }

  /** Resolves when a stdin listener has seen the end of its input. */
  inputEnd(): Promise<string> {
    return new Promise((resolve) => {
      this.#onInputEnd = () => resolve('end of input');
    });
  }

  /** Drains and ends. A second call waits for the first. */
  stop(cause: string): Promise<void> {
    this.#stopping ??= this.#stop(cause);
    return this.#stopping;
  }

  async #stop(cause: string): Promise<void> {
    const { config, log, clock } = this.#options;
    const startMs = clock.nowMs();
    this.#state = 'draining';
    log.info('stop', `draining: ${cause}`, { state: 'draining', cause });
    this.#replayer.stop();
    this.#alerting?.close();
    await this.#control?.close();
    await Promise.all(this.#listeners.map((listener) => listener.close(1_000)));
    this.#admission.drain();
    this.#admission.commit();
    await this.#pool.drain(config.daemon.drainTimeoutMs);
    await this.#pool.stop();
    this.#dlq.liftLimit();
    const spilled = await this.#spillRings();
    this.#replayer.finish();
    for (const timer of [...this.#timers, this.#telling]) clearInterval(timer);
    this.#interval();
    this.#admission.close();
    this.#returns.close();
    this.#diskAcks.close();
    if (!(await this.#dlq.close())) throw new SpillwayError('dlq_unwritable', 'the disk keeps failing while draining');
    await this.#lock?.giveBack();
    this.#state = 'stopped';
    log.info('stop', 'stopped', {
      state: 'stopped',
      tookMs: Math.round(clock.nowMs() - startMs),
      inFlight: 0,
      spilled,
    });
  }

  /** Sets aside what the ended lanes left in their rings; returns how many events that were. */
  async #spillRings(): Promise<number> {
    let spilled = 0;
    for (const { ring } of this.#plan.lanes.flatMap(({ streams }) => streams)) {
      const consumer = new RingConsumer(this.#arena, ring);
      for (let offset = consumer.next(); offset !== 0; offset = consumer.next()) {
        const word = this.#arena.words[(offset + entry.state) >>> 2] as number;
        const state = word & stateMask;
        if (state === EntryState.delivered || state === EntryState.settled) continue;
        const move = (): Appended =>
          state === EntryState.setAside
            ? this.#returns.move(offset)
            : this.#returns.settle(offset, Kind.spill, Reason.shutdown);
        for (let tries = 0; move() !== Appended.ok; tries++) {
          if (tries === 100) throw new SpillwayError('dlq_unwritable', 'the DLQ takes no more while draining');
          await this.#dlq.flush();
        }
        spilled++;
      }
    }
    return spilled;
  }

  #refresh(): void {
    this.#admission.refresh();
    this.#logs.journal.trim();
    if (this.#state === 'ready') for (const order of this.#orders) order?.tick();
  }

  #everyInterval(): void {
    clearInterval(this.#telling);
    this.#telling = setInterval(() => this.#interval(), this.#options.config.log.intervalMs);
  }

  #interval(): void {
    this.#telemetry.interval(this.#state);
    for (const listener of this.#listeners) listener.interval?.();
    this.#pool.sendAll({ type: 'interval' });
  }

  #createOrders(): (OrderedSpill | undefined)[] {
    const { clock, log } = this.#options;
    return createOrders({
      config: () => this.#options.config,
      admission: this.#admission,
      dlq: this.#dlq,
      returns: this.#returns,
      replays: this.#replays,
      ringsOf: (stream) => this.#ringsOf(stream),
      send: (lane, message) => this.#pool.send(lane, message),
      nowMs: () => clock.nowMs(),
      log,
    });
  }

  #openListeners(): Promise<RunningListener[]> {
    const { config, inherited, clock, log } = this.#options;
    return openListeners({
      config,
      inherited,
      arena: this.#arena,
      plan: this.#plan,
      intake: this.#admission,
      deliveries: this.#deliveries,
      diskAcks: this.#diskAcks,
      clock,
      log,
      status: () => this.status(),
      metrics: () => this.#telemetry.metrics(this.#state),
      ready: () => this.#state === 'ready',
      onInputEnd: () => this.#onInputEnd?.(),
    });
  }

  /** Undefined: the daemon works without, and its log says why. */
  async #openControl(): Promise<Control | undefined> {
    const { config, clock, log } = this.#options;
    const path = controlPath(config.daemon.stateDir);
    try {
      return await Control.open({
        path,
        files: socketFiles,
        pid: process.pid,
        status: () => this.status(),
        streams: config.streams.map(({ name }) => name),
        openSegments: () => this.#dlq.openSegments,
        run: (work) => this.#dlq.deadLetters.run(work),
        onGone: (stream, events, to) => this.#lettersGone(stream, events, to),
        nowMs: () => clock.nowMs(),
      });
    } catch (error) {
      const { code, message } = toPlainError(error);
      log.warn('listener', `no control socket: ${message}`, { listener: path, state: 'failed', code });
      return undefined;
    }
  }

  /** Dead letters were thrown away, or are spills of `to` now: the books of both streams say so. */
  #lettersGone(stream: number, events: number, to: number | undefined): void {
    if (to === undefined) return this.#counters.add(stream, MainCounter.dropped, events);
    if (to !== stream) {
      this.#counters.add(to, MainCounter.recovered, events);
      if (stream >= 0) this.#counters.add(stream, MainCounter.recovered, -events);
    }
    // In any other state events go behind what is on disk already.
    if (this.#orders[to]?.state === 'direct') this.#orders[to]?.strayed();
  }

  #createReturns(): Returns {
    const { config, log } = this.#options;
    return new Returns({
      arena: this.#arena,
      dlq: this.#dlq,
      counters: this.#counters,
      settled: (lane) => this.#pool.send(lane, { type: 'settled' }),
      again: (lane, offsets) => this.#pool.send(lane, { type: 'again', offsets }),
      keepsOrder: (stream) => config.streams[stream]?.ordering === 'key',
      cameBack: (stream, offset, bytes) => this.#replays[stream]?.cameBack(offset, bytes),
      moved: (offset, isDead) => {
        this.#logs.journal.moved();
        this.#deliveries.settled(offset, isDead ? Fate.rejected : Fate.onDisk);
      },
      buried: (lane, stream, events) => {
        const fields = { event: 'dead', stream: config.streams[stream]?.name ?? '', lane, events };
        log.warn('dlq', 'DLQ: events that Kinesis refuses', { ...fields, reason: reasonName(Reason.rejected) });
      },
    });
  }

  #createPool(): LanePool {
    const { workers, config, clock, credentials, log } = this.#options;
    return new LanePool({
      workers,
      arena: this.#arena,
      plans: this.#plan.lanes,
      streams: config.streams.map((stream) => deliveryOptions(config, stream, credentials)),
      startedMs: this.#startedMs,
      clock,
      parked: () => this.#orders.flatMap((order, stream) => (order?.isParking === true ? [stream] : [])),
      onMessage: (lane, message) => this.#heard(lane, message),
      onWorker: (lane, state, cause, tookMs) => {
        if (state === 'lost') this.#lost(lane);
        if (state === 'replaced') for (const order of this.#orders) order?.replaced(lane);
        const fields = { lane, state, tookMs: Math.round(tookMs), ...(cause === '' ? {} : { cause }) };
        if (state === 'started') log.debug('worker', `lane ${lane} started`, fields);
        else if (state === 'lost') log.error('worker', `lane ${lane} lost its worker`, fields);
        else log.warn('worker', `lane ${lane} has a new worker`, fields);
      },
    });
  }

  #heard(lane: number, message: FromLane): void {
    switch (message.type) {
      case 'drained':
      case 'alive':
        return;
      case 'parked':
        return this.#orders[message.stream]?.parked(lane);
      case 'ready':
        return this.#deliveries.lookAt(lane);
      case 'given_back':
        return this.#deliveries.passed(lane, message.tails);
      case 'receipts':
        return this.#deliveries.placed(lane, message.records);
      case 'set_aside':
        return this.#setAside(lane, message.offsets);
      case 'latency':
        this.#gauges.laneLatencies(lane, message.latencies);
        return this.#telemetry.laneLatencies(lane, message.latencies);
      case 'request_failed':
        return this.#failures.failed(lane, message);
      case 'survey':
        return this.#surveyed(lane, message);
      case 'breaker':
        this.#logBreaker('stream', lane, message.stream, message.from, message.to, message.cause);
        if (breakerStateNames[message.to as BreakerState] === 'closed') this.#failures.recovered(message.stream);
        this.#admission.refresh();
        // PROTOCOL.md counts from closed over half open to open.
        for (const listener of this.#listeners) listener.tellBreaker?.(message.stream, [0, 2, 1][message.to] ?? 0);
        return;
      default:
        message satisfies never;
    }
  }

  #lost(lane: number): void {
    this.#gauges.laneLost();
    this.#returns.forget(lane);
    for (const order of this.#orders) order?.lost(lane);
  }

  #setAside(lane: number, offsets: Uint32Array): void {
    const spilled = this.#returns.take(lane, offsets);
    if (spilled !== undefined && this.#state === 'ready') this.#orders[spilled]?.strayed();
  }

  /** A lane has found out something of a stream: what admission goes by, and what an operator should know. */
  #surveyed(lane: number, found: Extract<FromLane, { type: 'survey' }>): void {
    const { config, log } = this.#options;
    const stream = config.streams[found.stream] as Config['streams'][number];
    this.#admission.limit(found.stream, Math.min(stream.recordBytesMax, found.recordBytesMax ?? stream.recordBytesMax));
    const details = { stream: stream.name, shards: found.shards, lane };
    const aggregates = found.placesByKey === true && found.shards > 0;
    if (aggregates || !stream.aggregation) {
      log.info('config', `stream ${stream.name}: ${found.cause}`, { details });
    } else {
      const cure =
        found.placesByKey === false
          ? 'it spreads records as it likes, which consumers of aggregates cannot read'
          : 'allow kinesis:DescribeStreamSummary and kinesis:ListShards to have events share records';
      log.warn('config', `stream ${stream.name}: ${found.cause}; nothing is aggregated: ${cure}`, { details });
    }
  }

  #logBreaker(
    breaker: 'lane' | 'stream',
    lane: number,
    streamIndex: number,
    from: number,
    to: number,
    cause: string,
  ): void {
    const { log, config } = this.#options;
    const stream = config.streams[streamIndex]?.name ?? '';
    const names = {
      from: breakerStateNames[from as BreakerState],
      to: breakerStateNames[to as BreakerState],
    };
    const { ring } = this.#rings[lane * config.streams.length + streamIndex] as AdmissionRing;
    const ringShare = Math.round((1000 * ring.usedBytes()) / ring.capacity) / 1000;
    const where = breaker === 'stream' ? `stream ${stream}` : `lane ${lane} for stream ${stream}`;
    const fields = { breaker, lane, ...names, cause, ringShare, stream };
    log.warn('breaker', `breaker of ${where}: ${names.from} to ${names.to}`, fields);
  }

  #createRing(lane: number, stream: number, ring: RingPlace, breakerWord: number): AdmissionRing {
    return {
      ring: new RingProducer(this.#arena, ring),
      saturation: new SaturationBreaker(saturationOptions(this.#options.config, ring.capacity), (from, to, cause) =>
        this.#logBreaker('lane', lane, stream, from, to, cause),
      ),
      breakerWord,
    };
  }

  #createAdmission(published: (tookUs: number, events: number) => void): Admission {
    const { config, clock, random } = this.#options;
    const { randomKeys } = this.#plan;
    const hex = random.bytes(randomKeys.length / 2).toString('hex');
    this.#arena.buffer.write(hex.slice(0, randomKeys.length - (randomKeys.length % randomKeyBytes)), randomKeys.offset);
    return new Admission({
      arena: this.#arena,
      clock,
      startedMs: this.#startedMs,
      counters: this.#counters,
      streams: new Map(config.streams.map(({ name }, i) => [name, i])),
      policies: config.streams.map(({ overflow, recordBytesMax }) => ({ overflow, eventBytesMax: recordBytesMax })),
      lanes: config.daemon.lanes,
      rings: this.#rings,
      overflow: overflowInto(
        () => this.#dlq,
        () => this.#admission.roomCame(),
      ),
      orders: this.#orders,
      randomKeys,
      share: () => random.share(),
      published,
    });
  }

  #createReplayer(): Replayer {
    const { config, clock, log } = this.#options;
    const dlq = this.#dlq;
    const nowMs = (): number => clock.nowMs();
    const { streams } = config;
    this.#replays = Array.from(
      { length: dlq.queueCount },
      (_, stream) =>
        new StreamReplay({
          stream,
          cursor: dlq.cursor(stream),
          spilledEvents: () => dlq.spilledEvents(stream),
          checkpoint: (position) => dlq.checkpoint(stream, position),
          target: this.#admission,
          isHeld: () => this.#isReplayHeld(stream),
          keepsOrder: streams[stream]?.ordering === 'key',
          rings: this.#ringsOf(stream).map(({ ring }) => ring),
          counters: this.#counters,
          nowMs,
          share: config.dlq.replayShare,
          openAfterMs: config.breaker.openAfterMs,
          lingerMs: streams[stream]?.lingerMs ?? 0,
        }),
    );
    return new Replayer({
      streams: this.#replays,
      areWindowsTaken: () => dlq.areWindowsTaken,
      isWindowWanted: () => dlq.deadLetters.isWindowWanted,
      nowMs,
      onFailure: (error) => log.failure(error),
    });
  }

  #isReplayHeld(stream: number): boolean {
    // The queue of streams that are not configured fills no ring.
    if (stream === this.#options.config.streams.length) return false;
    const order = this.#orders[stream];
    if (order === undefined) return this.#admission.isDiverted(stream);
    return !order.mayReplay || this.#admission.isUnavailable(stream);
  }

  /** One per lane; none of the queue of streams that are not configured. */
  #ringsOf(stream: number): AdmissionRing[] {
    const { streams } = this.#options.config;
    return this.#rings.filter((_, i) => i % streams.length === stream);
  }

  #openJournal(latency: LatencyRecorder): DiskAcks {
    const { config, clock, log } = this.#options;
    const { maxBytes, commitWindowMs, ackTimeoutMs } = config.journal;
    const acks = new DiskAcks({
      admission: this.#admission,
      logs: () => this.#logs,
      streams: config.streams.length,
      timeoutMs: ackTimeoutMs,
      nowMs: () => clock.nowMs(),
      onStall: (isStalled) => {
        const event = isStalled ? 'stalled' : 'moving';
        const message = isStalled ? 'the disk holds up senders of ack level disk' : 'the disk moves again';
        log.warn('dlq', `journal: ${message}`, { event });
      },
    });
    this.#logs = this.#dlq.openJournal(
      { blocks: this.#plan.journalBlocks, maxBytes, commitWindowMs, rings: this.#rings.map(({ ring }) => ring) },
      {
        durable: (which, sequence) => acks.durable(which, sequence),
        lost: (which, sequence) => acks.lost(which, sequence),
        journalSynced: (tookMs) => latency.record(Latency.journalSync, tookMs * 1_000, 1),
      },
    );
    return acks;
  }

  #createLedger(): LedgerReader {
    return new LedgerReader({
      arena: this.#arena,
      main: this.#counters,
      lanes: this.#plan.lanes.map(({ counters }) => counters),
      streams: this.#options.config.streams.length,
      dlqEvents: (stream) => this.#dlq.holdings(stream).spilled + this.#dlq.holdings(stream).dead,
    });
  }

  #createGauges(ledger: LedgerReader): Gauges {
    const { clock } = this.#options;
    return new Gauges({
      arena: this.#arena,
      config: () => this.#options.config,
      rings: this.#rings,
      ledger,
      dlq: this.#dlq,
      nowMs: () => clock.nowMs(),
      diskFree: () => realFiles.freeBytes(this.#options.config.daemon.stateDir),
    });
  }

  #createAlerting(): Alerting {
    const { config, log, clock, host } = this.#options;
    return new Alerting({ config, gauges: this.#gauges, log, nowMs: () => clock.nowMs(), host });
  }

  #createTelemetry(latency: LatencyRecorder, ledger: LedgerReader): Telemetry {
    const { config, log, clock, version } = this.#options;
    return new Telemetry({
      arena: this.#arena,
      log,
      nowMs: () => clock.nowMs(),
      startedMs: this.#startedMs,
      streams: config.streams.map(({ name }) => name),
      rings: this.#rings,
      latency,
      ledger,
      readings: this.#gauges.readings,
      alerts: () => this.#alerting?.status ?? [],
      dlq: (stream) => this.#dlq.holdings(stream),
      index: () => this.#dlq.indexProgress,
      dlqCondition: () => this.#dlq.condition,
      refusals: () => this.#admission.refusedByCode(),
      lost: () => this.#pool.lost,
      usage: processUsage,
      emfNamespace: () => (this.#options.config.log.emf ? this.#options.config.log.emfNamespace : undefined),
      version,
      journal: () => ({ ...this.#logs.journal.status(), waiting: this.#diskAcks.waiting }),
    });
  }
}
