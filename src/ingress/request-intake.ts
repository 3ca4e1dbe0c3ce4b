/**
 * The intake as one HTTP request sees it: counts what became of the request's events, gives all of them the request's partition
 * key if it brought one, and stops at the first event that should be sent again. Main thread; one per POST, between the
 * request's framer and the daemon's intake.
 *
 * Stopping matters: a sender that was refused event 7 as `saturated` sends 7 and all behind it again, so none behind it may be
 * taken now. To the framer the stop looks like an intake without room.
 */
import type { Arena } from '../ring/arena.ts';
import type { Sender } from './fair-shares.ts';
import type { BodyForm } from './http-head.ts';
import { firstRefusal, type Intake, refusals, Verdict } from './intake.ts';
import { RefusalList, tellRefusal } from './refusal-list.ts';

export class RequestIntake implements Intake {
  /** Events accepted, the spilled ones among them; events in the DLQ; events refused. */
  accepted = 0;
  spilled = 0;
  refused = 0;
  /** The retryable verdict that stopped the request; its event is among the refused. */
  stoppedBy: Verdict | undefined;
  readonly errors = new RefusalList();
  readonly #intake: Intake;
  readonly #arena: Arena;
  readonly #stream: number;
  readonly #key: Buffer | undefined;
  readonly #keyOffset: number;
  readonly #numberOf: ((index: number) => number) | undefined;

  /**
   * `key`: UTF-8, for all events; written to `keyOffset` by {@link placeKey}. `numberOf` gives the number by which the sender is
   * told of the event at hand; without it that is its index.
   */
  constructor(
    intake: Intake,
    arena: Arena,
    options: { stream: number; key: Buffer | undefined; keyOffset: number; numberOf?: (index: number) => number },
  ) {
    this.#intake = intake;
    this.#arena = arena;
    this.#stream = options.stream;
    this.#key = options.key;
    this.#keyOffset = options.keyOffset;
    this.#numberOf = options.numberOf;
  }

  /** Index of the first event that was not taken and should be sent again, if the request ended here. */
  get taken(): number {
    return this.accepted + this.refused - (this.stoppedBy === undefined ? 0 : 1);
  }

  /** Writes the request's key to its place, which all requests share: before every parse. */
  placeKey(): void {
    if (this.#key !== undefined) this.#arena.bytes.set(this.#key, this.#keyOffset);
  }

  offer(
    stream: number,
    keyOffset: number,
    keyLength: number,
    dataOffset: number,
    dataLength: number,
    ehkOffset: number,
    timeUs: number,
  ): Verdict {
    if (this.stoppedBy !== undefined) return Verdict.blocked;
    const key = this.#key;
    const offset = key === undefined ? keyOffset : this.#keyOffset;
    const length = key === undefined ? keyLength : key.length;
    const verdict = this.#intake.offer(stream, offset, length, dataOffset, dataLength, ehkOffset, timeUs);
    if (verdict === Verdict.blocked) return verdict;
    if (verdict < firstRefusal) {
      this.accepted++;
      if (verdict === Verdict.spilled) this.spilled++;
      return verdict;
    }
    this.#refused(verdict);
    if (refusals[verdict]?.retryable !== true) return verdict;
    this.stoppedBy = verdict;
    return Verdict.blocked;
  }

  refuse(stream: number, verdict: Verdict): void {
    if (this.stoppedBy !== undefined) return;
    this.#intake.refuse(stream, verdict);
    this.#refused(verdict);
  }

  /** Of all streams a request knows only the one in its path: a hello in the body cannot lead to another. */
  streamIndex(name: string): number | undefined {
    const stream = this.#intake.streamIndex(name);
    return stream === this.#stream ? stream : undefined;
  }
  eventBytesMax(stream: number): number {
    return this.#intake.eventBytesMax(stream);
  }
  randomKey(): number {
    return this.#intake.randomKey();
  }
  commit(): void {
    this.#intake.commit();
  }
  feeds(sender: Sender): void {
    this.#intake.feeds(sender);
  }
  retryAfterMs(stream: number): number {
    return this.#intake.retryAfterMs(stream);
  }
  whenRoom(stream: number, resume: () => void): void {
    this.#intake.whenRoom(stream, resume);
  }

  /** Members of the answer, refusals among them; these are forgotten. */
  tell(form: BodyForm, eventBytesMax: number): object {
    const { accepted, refused, spilled } = this;
    const { omitted } = this.errors;
    const numbering = form === 'lines' ? 'line' : 'index';
    const errors = this.errors.take().map((run) => tellRefusal(run, numbering, eventBytesMax));
    if (form === 'array') {
      for (const each of errors) if (each.error === 'bad_json') Object.assign(each, { message: 'not valid JSON' });
    }
    return { accepted, refused, spilled, errors, ...(omitted === 0 ? {} : { errorsOmitted: omitted }) };
  }

  #refused(verdict: Verdict): void {
    const index = this.accepted + this.refused;
    this.errors.add(this.#numberOf?.(index) ?? index, verdict);
    this.refused++;
  }
}
