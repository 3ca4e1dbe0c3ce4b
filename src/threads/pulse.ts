/**
 * Whether a lane still does its work: it is asked once per beat, and answers after a turn of its loop. Main thread; one per lane, in the
 * pool. Time is counted in beats that went unanswered, not by the clock: a machine that slept has stuck no lane.
 */

/** Time between two beats. */
export const beatMs = 1_000;

/** So many unanswered beats in a row, and the worker is ended and replaced: its ring survives it. */
export const stuckBeats = 5;

/** So many, and the daemon as a whole is no longer well: its worker could not be replaced. */
export const lostBeats = 10;

export class Pulse {
  #silent = 0;

  /** The lane's loop has run, or a new worker has begun. */
  heard(): void {
    this.#silent = 0;
  }

  /** A beat is sent; true in the one moment in which the worker must be taken for stuck. */
  beat(): boolean {
    this.#silent += 1;
    return this.#silent === stuckBeats + 1;
  }

  get isWell(): boolean {
    return this.#silent <= lostBeats;
  }
}
