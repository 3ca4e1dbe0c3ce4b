/**
 * Assertions that stay on in production. Any thread; imports nothing.
 *
 * A failed assertion is a bug in spillway, never an operating failure: it throws, nobody catches it, the process (or the
 * lane worker) ends, and whoever supervises it starts it again. Operating failures are values or {@link SpillwayError}s.
 */

/** Throws when `condition` does not hold. `message` says which property was violated, with no interpolation on hot paths. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`);
}

/** Marks a branch that the type system shows to be unreachable. */
export function unreachable(value: never): never {
  throw new Error(`assertion failed: unreachable value ${String(value)}`);
}
