/**
 * Plays the demo's day on an open stage and tells it as it happens: chapter by chapter, with what the daemon itself logs about
 * its breakers. Called once by demo.ts; what it gives back is all that the summary and the picture need.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { durationText } from '../../src/observe/hist-text.ts';
import type { Ledger } from '../../src/observe/ledger.ts';
import type { LogLine } from '../daemon-process.ts';
import type { Flights } from './flights.ts';
import { percentile } from './percentile.ts';
import { type Chapter, split } from './plan.ts';
import { type Found, ReadBack } from './read-back.ts';
import { type Sample, Sampler } from './sampler.ts';
import { count, megabytes, type Screen } from './screen.ts';
import type { StretchReport } from './sender.ts';
import { joined } from './senders.ts';
import { type Stage, streamName } from './stage.ts';

/** What happened when, in milliseconds since the start of the day. */
export interface Times {
  diedMs: number;
  breakerOpenMs: number;
  backMs: number;
  breakerClosedMs: number;
  drainedMs: number;
}

export interface ChapterReport extends StretchReport {
  readonly chapter: Chapter;
  readonly startMs: number;
}

export interface Day {
  readonly chapters: readonly ChapterReport[];
  readonly times: Times;
  readonly samples: readonly Sample[];
  readonly ledger: Ledger;
  readonly daemonExit: number | null;
  readonly found: Found;
}

/** How long anything may take that has to come: the breaker's opening, and the last delivery. */
const waitMsMax = 30_000;

/** Events compared between two looks at the clock. */
const readStep = 5_000;

export class Story {
  readonly #stage: Stage;
  readonly #screen: Screen;
  readonly #flights: Flights;
  readonly #events: number;
  readonly #sampler: Sampler;
  readonly #reports: ChapterReport[] = [];
  readonly #times: Times = { diedMs: 0, breakerOpenMs: 0, backMs: 0, breakerClosedMs: 0, drainedMs: 0 };
  #spilling = false;
  #failures = 0;
  /** Most events that waited at one time while all was well. */
  #waitingBefore = 0;

  constructor(stage: Stage, screen: Screen, flights: Flights, events: number) {
    this.#stage = stage;
    this.#screen = screen;
    this.#flights = flights;
    this.#events = events;
    this.#sampler = new Sampler(stage.daemon, streamName, (sample) => this.#sampled(sample));
  }

  /** Whether the endpoint has not died yet. */
  get calm(): boolean {
    return this.#times.diedMs === 0;
  }

  /** A line of the daemon's log: of failures the first is told, of breakers every move that changes what happens. */
  heard(line: LogLine): void {
    const nowMs = this.#sampler.elapsedMs();
    const { breaker, from, to, cause } = line;
    // Its cure, and what Node says of it, are for operators.
    if (line.kind === 'error' && this.#failures++ === 0)
      this.#screen.event(nowMs, '', line.msg.replace(/ [(;].*$/, ''));
    if (line.kind !== 'breaker' || to === 'half_open') return;
    const which = `breaker of the ${String(breaker)}`;
    const why = String(cause);
    if (to === 'closed') this.#screen.event(nowMs, '', `${which} ${this.#screen.style('green', 'closes')}: ${why}`);
    else if (from === 'closed') this.#screen.event(nowMs, '', `${which} ${this.#screen.style('red', 'opens')}: ${why}`);
    else this.#screen.event(nowMs, '', `${which} stays open: a probe met ${why}`);
    if (breaker !== 'stream') return;
    if (to === 'open' && this.#times.breakerOpenMs === 0) this.#times.breakerOpenMs = nowMs;
    if (to === 'closed') this.#times.breakerClosedMs = nowMs;
  }

  async play(day: readonly Chapter[]): Promise<Day> {
    const [morning, peak, outage, back, evening] = day as [Chapter, Chapter, Chapter, Chapter, Chapter];
    this.#sampler.start();
    await this.#send(morning, 'green', sending(morning));
    await this.#send(peak, 'cyan', `the sale begins: ${sending(peak)}`);
    await this.#outage(outage);
    await this.#back(back);
    await this.#send(evening, 'green', sending(evening));
    const ledger = await this.#settled();
    await this.#sampler.stop();
    await this.#stage.senders.stop();
    const daemonExit = await this.#stage.stopDaemon();
    const found = await this.#readBack();
    this.#screen.still();
    const { samples } = this.#sampler;
    return { chapters: this.#reports, times: this.#times, samples, ledger, daemonExit, found };
  }

  async #send(chapter: Chapter, color: 'green' | 'cyan', says: string): Promise<void> {
    const startMs = this.#sampler.elapsedMs();
    this.#screen.event(startMs, chapter.name, says, ['bold', color]);
    this.#reports.push({ chapter, startMs, ...(await this.#stage.senders.send(chapter)) });
  }

  /** The second half is sent when the breaker is known to be open: on any machine, something spills. */
  async #outage(chapter: Chapter): Promise<void> {
    const { simulator, senders, daemon } = this.#stage;
    const [dying, dark] = split(chapter, 0.5);
    await simulator.faults({ refuse: true });
    const startMs = this.#sampler.elapsedMs();
    this.#times.diedMs = startMs;
    this.#waitingBefore = Math.max(...this.#sampler.samples.map(({ waiting }) => waiting));
    this.#screen.event(startMs, chapter.name, 'the endpoint dies: every connection is refused', ['bold', 'red']);
    const first = await senders.send(dying);
    const opened = daemon.line(({ kind, breaker, to }) => kind === 'breaker' && breaker === 'stream' && to === 'open');
    await within(opened, waitMsMax, 'an open breaker');
    const report = joined([first, await senders.send(dark)]);
    this.#reports.push({ chapter, startMs, ...report });
    const { accepted, refused, ackUs } = report;
    const p99 = durationText(percentile(ackUs, 0.99));
    const text = `all the while: ${count(accepted)} events accepted, ${count(refused)} refused, acknowledged within ${p99} (p99)`;
    this.#screen.event(this.#sampler.elapsedMs(), '', text);
  }

  async #back(chapter: Chapter): Promise<void> {
    await this.#stage.simulator.faults({});
    this.#times.backMs = this.#sampler.elapsedMs();
    await this.#send(chapter, 'green', 'the endpoint is there again; the sale goes on as before');
  }

  #sampled(sample: Sample): void {
    const { ms, onDisk, diskBytes, breaker } = sample;
    if (onDisk > 0 && !this.#spilling) {
      this.#spilling = true;
      this.#screen.event(ms, '', 'what comes in goes to the disk');
    }
    const asBefore = onDisk === 0 && sample.waiting <= this.#waitingBefore;
    if (asBefore && this.#times.breakerClosedMs > 0 && this.#times.drainedMs === 0) this.#drained(sample);
    const columns = [
      this.#flights.clock(Math.min(sample.accepted, this.#events - 1)),
      `in ${count(sample.arriving).padStart(7)}/s`,
      `out ${count(sample.delivering).padStart(7)}/s`,
      `waiting ${count(sample.waiting).padStart(8)}`,
      `on disk ${count(onDisk).padStart(8)}, ${megabytes(diskBytes).padStart(7)}`,
      breaker,
    ];
    this.#screen.live(ms, columns.join('  '));
  }

  /** From when the breaker let them through: what was delivered since, against what arrived since. */
  #drained({ ms, delivered, accepted }: Sample): void {
    this.#times.drainedMs = ms;
    const { samples } = this.#sampler;
    const most = Math.max(...samples.map(({ onDisk }) => onDisk));
    const from = samples.findLast((sample) => sample.ms <= this.#times.breakerClosedMs) as Sample;
    const seconds = (ms - from.ms) / 1_000;
    const out = (delivered - from.delivered) / seconds;
    const arrived = (accepted - from.accepted) / seconds;
    const text = `the disk is empty: ${count(most)} events drained in ${seconds.toFixed(1)} s, ${count(out)}/s out while ${count(arrived)}/s came in`;
    this.#screen.event(ms, '', this.#screen.style('green', text));
  }

  /** Waits until nothing is left anywhere; gives the books as they then stand. */
  async #settled(): Promise<Ledger> {
    const { daemon } = this.#stage;
    const deadlineMs = this.#sampler.elapsedMs() + waitMsMax;
    for (;;) {
      const ledger = await daemon.ledger();
      if (ledger.inFlight === 0 && ledger.dlq === 0) return ledger;
      // Not an error: the summary says what is missing, and the exit code too.
      if (this.#sampler.elapsedMs() > deadlineMs) return ledger;
      await sleep(20);
    }
  }

  async #readBack(): Promise<Found> {
    const readBack = new ReadBack(this.#flights, this.#events);
    this.#screen.event(this.#sampler.elapsedMs(), 'read back', 'every event of the stream, against the source', 'bold');
    let read = 0;
    for await (const event of this.#stage.simulator.events(streamName)) {
      readBack.add(event);
      if (++read % readStep === 0) this.#screen.live(this.#sampler.elapsedMs(), `${count(read)} events compared`);
    }
    return readBack.found;
  }
}

function sending({ senders, eventsPerSecond }: Chapter): string {
  return `${senders} senders, ${count(eventsPerSecond)} events/s`;
}

async function within<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} within ${ms / 1_000} s`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
