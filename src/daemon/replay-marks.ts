/**
 * What of one stream's spills is on its way: pushed into its rings, and not known to be done. Main thread; kept by the stream's
 * replay. Bounded by the rings. A step of the replay leaves one mark; of a stream that keeps order it also says where each event
 * lies, so that one which comes back undelivered can be found again in the DLQ.
 */
import { assert } from '../base/assert.ts';
import type { RingProducer } from '../ring/producer.ts';

/** One step: a DLQ position, where each ring stood then, and what it pushed. */
interface Mark {
  readonly position: number;
  readonly rings: readonly number[];
  readonly bytes: number;
  readonly pushedMs: number;
  /** Of a stream that keeps order: where each event lies in its ring, and its sequence in the DLQ. */
  readonly offsets: readonly number[];
  readonly sequences: readonly number[];
}

/** An event that came back, by its sequence in the DLQ. */
export interface CameBack {
  readonly sequence: number;
  readonly bytes: number;
}

export class ReplayMarks {
  /** Of data and keys. */
  bytes = 0;
  readonly #rings: readonly RingProducer[];
  readonly #marks: Mark[] = [];
  #stepBytes = 0;
  #offsets: number[] = [];
  #sequences: number[] = [];
  /** Ring offsets and bytes of what came back since the last {@link end}. */
  #back: { readonly offset: number; readonly bytes: number }[] = [];

  constructor(rings: readonly RingProducer[]) {
    this.#rings = rings;
  }

  /** An event entered a ring in this step. */
  entered(bytes: number): void {
    this.bytes += bytes;
    this.#stepBytes += bytes;
  }

  /** Where it lies, and what it is in the DLQ. */
  place(offset: number, sequence: number): void {
    this.#offsets.push(offset);
    this.#sequences.push(sequence);
  }

  /** The step is over, and all of it is in the rings. */
  step(position: number, pushedMs: number): void {
    const rings = this.#rings.map((ring) => ring.position());
    const [bytes, offsets, sequences] = [this.#stepBytes, this.#offsets, this.#sequences];
    this.#stepBytes = 0;
    this.#offsets = [];
    this.#sequences = [];
    this.#marks.push({ position, rings, bytes, pushedMs, offsets, sequences });
  }

  cameBack(offset: number, bytes: number): void {
    this.#back.push({ offset, bytes });
  }

  /** The oldest step that all rings have given back, and that is done; undefined: there is none now. */
  takeDone(): { readonly position: number; readonly bytes: number; readonly pushedMs: number } | undefined {
    const mark = this.#marks[0];
    // What came back is out of its ring as well, and not done.
    if (mark === undefined || this.#back.length > 0) return undefined;
    if (!this.#rings.every((ring, i) => ring.passed(mark.rings[i] as number))) return undefined;
    this.#marks.shift();
    this.bytes -= mark.bytes;
    return mark;
  }

  /** The rings are empty: up to which position all is done (undefined: nothing was on its way), and what came back, oldest first. */
  end(): { readonly position: number | undefined; readonly back: readonly CameBack[] } {
    const byOffset = new Map<number, number>();
    for (const { offsets, sequences } of this.#marks) {
      // A later event at the same place took it over from one that was delivered.
      for (let i = 0; i < offsets.length; i++) byOffset.set(offsets[i] as number, sequences[i] as number);
    }
    const back = this.#back.map(({ offset, bytes }) => {
      const sequence = byOffset.get(offset);
      assert(sequence !== undefined, 'what came back was handed out');
      return { sequence, bytes };
    });
    back.sort((a, b) => a.sequence - b.sequence);
    const position = back[0] === undefined ? this.#marks.at(-1)?.position : back[0].sequence - 1;
    this.#marks.length = 0;
    this.#back = [];
    this.bytes = 0;
    return { position, back };
  }
}
