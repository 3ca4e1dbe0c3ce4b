/** What the interleavings test plays: small, but with wrap-around, padding, a full ring, batches, and a consumer that dies. */
import type { Scenario } from './ring-programs.ts';

/** Payloads of 104 bytes make entries of 128: two fill a ring of 256. Of 88 bytes, 112: the third is preceded by padding. */
export const scenarios: Readonly<Record<string, Scenario>> = {
  'one at a time, never full': {
    capacity: 256,
    startPosition: 0,
    lengths: [8, 8, 8],
    publishEvery: 1,
    consumerDies: false,
  },
  'published in pairs, full, padding': {
    capacity: 256,
    startPosition: 0,
    lengths: [88, 88, 88, 40, 88],
    publishEvery: 2,
    consumerDies: false,
  },
  'full at every second entry, positions wrap at 2^32': {
    capacity: 256,
    startPosition: -256,
    lengths: [104, 104, 104, 104, 104],
    publishEvery: 1,
    consumerDies: false,
  },
  'positions wrap at 2^31, padding of 8 bytes': {
    capacity: 256,
    startPosition: 2 ** 31 - 256,
    lengths: [96, 104, 104, 0, 60],
    publishEvery: 1,
    consumerDies: false,
  },
  'the consumer dies at any point and is replaced': {
    capacity: 256,
    startPosition: -256,
    lengths: [88, 88, 88, 40],
    publishEvery: 1,
    consumerDies: true,
  },
};
