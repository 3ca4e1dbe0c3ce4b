/**
 * What the two threads of the ring's stress test hand each other: the reader's start, and the words in shared memory in which
 * it counts what it finds. Both threads; the reader writes.
 */
import type { RingPlace } from '../../src/ring/layout.ts';
import type { Lengths } from './messages.ts';

/** Places in {@link ConsumerStart.report}. */
export const Found = {
  /** Messages finished and checked. */
  received: 0,
  skipped: 1,
  /** Messages that came again, or after a later one. */
  repeated: 2,
  torn: 3,
  sleeps: 4,
} as const;

/** URLs of the ring's modules: the real ones, or a build with a seeded mistake. */
export interface RingModules {
  readonly producer: string;
  readonly consumer: string;
  readonly waiting: string;
}

export interface ConsumerStart {
  readonly memory: WebAssembly.Memory;
  readonly place: RingPlace;
  readonly lengths: Lengths;
  readonly messages: number;
  readonly modules: RingModules;
  readonly report: Float64Array;
}
