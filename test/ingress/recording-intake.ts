/**
 * An intake for tests: it remembers what was offered, copied out of the arena at the moment of the offer, and answers by
 * rule. What the daemon does with events is not its business.
 */
import { Sender } from '../../src/ingress/fair-shares.ts';
import { type Intake, type Landing, randomKeyLength, Verdict } from '../../src/ingress/intake.ts';
import type { Arena } from '../../src/ring/arena.ts';

export interface Offered {
  readonly stream: number;
  readonly key: string;
  readonly data: string;
  readonly hashKey: string | undefined;
}

export interface RecordingIntake extends Intake {
  readonly offered: Offered[];
  readonly refusedByListener: Verdict[];
  commits: number;
  /** Answer to the next offer; events answered `blocked` are not recorded. */
  verdict: (event: Offered) => Verdict;
  /** Runs what waits for room, as the daemon does when a lane's ring has drained. */
  makeRoom(): void;
  readonly waiting: number;
}

const hashKeyBytes = 16;

/** `randomKeyOffset`: where in the arena the key for events without one lies. */
export function recordingIntake(
  arena: Arena,
  options: { eventBytesMax?: number; randomKeyOffset?: number; streams?: readonly string[] } = {},
): RecordingIntake {
  const { eventBytesMax = 1_048_576, randomKeyOffset = 64, streams = ['orders', 'clicks'] } = options;
  const text = (offset: number, length: number) => arena.buffer.toString('latin1', offset, offset + length);
  let waiters: (() => void)[] = [];
  let sender = new Sender();
  arena.buffer.fill('R', randomKeyOffset, randomKeyOffset + randomKeyLength);
  return {
    offered: [],
    refusedByListener: [],
    commits: 0,
    verdict: () => Verdict.ring,
    streamIndex(name) {
      const index = streams.indexOf(name);
      return index < 0 ? undefined : index;
    },
    eventBytesMax: () => eventBytesMax,
    offer(stream, keyOffset, keyLength, dataOffset, dataLength, ehkOffset) {
      const key = text(keyOffset, keyLength);
      const hashKey = ehkOffset === 0 ? undefined : arena.buffer.toString('hex', ehkOffset, ehkOffset + hashKeyBytes);
      const event = { stream, key, data: text(dataOffset, dataLength), hashKey };
      const verdict = keyLength === 0 ? Verdict.emptyKey : this.verdict(event);
      if (verdict !== Verdict.blocked) this.offered.push(event);
      if (verdict === Verdict.saturated) sender.turnedAway++;
      return verdict;
    },
    refuse(_stream, verdict) {
      this.refusedByListener.push(verdict);
    },
    randomKey: () => randomKeyOffset,
    commit() {
      this.commits += 1;
    },
    feeds(from) {
      sender = from;
    },
    retryAfterMs: () => 250,
    whenRoom(_stream, resume) {
      waiters.push(resume);
    },
    makeRoom() {
      const ready = waiters;
      waiters = [];
      for (const resume of ready) resume();
    },
    get waiting() {
      return waiters.length;
    },
  };
}

/** A landing zone behind the first page of the arena. */
export function landingOf(carryBytes: number, readBytes: number): Landing {
  const carryStart = 1024;
  return { carryStart, readStart: carryStart + carryBytes, readEnd: carryStart + carryBytes + readBytes };
}
