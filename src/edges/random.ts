/** Randomness, as the daemon draws it: jitter and random partition keys. Any thread. A simulator gives seeded ones. */
import { randomBytes } from 'node:crypto';

export interface Random {
  /** Uniform in [0, 1). */
  share(): number;
  /** `length` random bytes. */
  bytes(length: number): Buffer;
}

export const systemRandom: Random = {
  share: () => Math.random(),
  bytes: (length) => randomBytes(length),
};
