/**
 * How the DLQ is, in a few numbers that alerts can be built on. Main thread; asked by the status, never on the hot path.
 */
import type { DlqContext } from './context.ts';
import type { DropReason } from './options.ts';
import type { FullCause } from './refusals.ts';
import type { Reserve } from './reserve.ts';
import type { Series } from './series.ts';

export interface DlqCondition {
  /** On disk, or about to be; the reserve included. */
  readonly bytes: number;
  readonly maxBytes: number;
  /** Events that must go to disk are refused. */
  readonly full: boolean;
  /** Why; empty: it is not full. */
  readonly cause: '' | FullCause;
  /** The last write or sync of some series failed. */
  readonly failing: boolean;
  /** Kept back for a full disk; 0: it is in use, or there is none. */
  readonly reserveBytes: number;
  /** Since the start. */
  readonly droppedByReason: Readonly<Record<DropReason, number>>;
}

export function conditionOf({ space, dropped }: DlqContext, reserve: Reserve, all: readonly Series[]): DlqCondition {
  const cause = all.map(({ refusals }) => refusals.cause).find((one) => one !== undefined);
  return {
    bytes: space.usedBytes + reserve.heldBytes,
    maxBytes: space.maxBytes,
    full: cause !== undefined,
    cause: cause ?? '',
    failing: all.some(({ writer }) => writer.isInTrouble),
    reserveBytes: reserve.heldBytes,
    droppedByReason: { ...dropped },
  };
}
