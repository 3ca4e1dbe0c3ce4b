/**
 * The rings that two threads are let loose on: tiny ones that wrap and fill with every few messages, large ones that hold much,
 * and positions that pass 2^31 and 2^32. Used by ring.test.ts and, with more messages in equal shares, by
 * test/long/ring-100m.ts.
 */
import type { Stress } from './producer.ts';

/** `share`: of the test's messages. Small rings pass few at a time, and are slow where the two threads share a core. */
export const stresses: Readonly<Record<string, Omit<Stress, 'messages'> & { readonly share: number }>> = {
  'the smallest ring, positions pass 2^31': {
    capacity: 256,
    startPosition: 2 ** 31 - 4096,
    usualLength: 96,
    sleepEvery: 2_000,
    share: 0.02,
  },
  'the smallest ring, positions pass 2^32': {
    capacity: 256,
    startPosition: -4096,
    usualLength: 40,
    sleepEvery: 5_000,
    share: 0.02,
  },
  'a ring of 4 KiB, empty to longest messages': {
    capacity: 4096,
    startPosition: 0,
    usualLength: 2048,
    sleepEvery: 5_000,
    share: 0.03,
  },
  'a ring of 1 MiB, positions pass 2^32': {
    capacity: 2 ** 20,
    startPosition: -(2 ** 20) - 8,
    usualLength: 200,
    sleepEvery: 5_000,
    share: 0.43,
  },
  'a ring of 64 MiB, positions pass 2^31': {
    capacity: 2 ** 26,
    startPosition: 2 ** 31 - 2 ** 20,
    usualLength: 64,
    sleepEvery: 20_000,
    share: 0.5,
  },
};
