/**
 * What happens to the stream while a run of the delivery's model goes on, and how all ends well. Test processes only; called by the
 * run at the times that its world names.
 */
import type { RandomSequence } from '../../src/simulator/random-sequence.ts';
import type { World } from './delivery-world.ts';
import type { ModelKinesis } from './model-kinesis.ts';
import { noFaults } from './model-request.ts';
import type { VirtualTime } from './virtual-time.ts';

export interface StreamChangesParts {
  readonly world: World;
  readonly time: VirtualTime;
  readonly kinesis: ModelKinesis;
  readonly dice: RandomSequence;
  readonly park: () => void;
  readonly isDone: () => boolean;
}

export class StreamChanges {
  readonly #parts: StreamChangesParts;

  constructor(parts: StreamChangesParts) {
    this.#parts = parts;
  }

  make(change: World['changes'][number]['change']): void {
    const { kinesis, world, time, park } = this.#parts;
    switch (change) {
      case 'split':
        return kinesis.split();
      case 'merge':
        if (kinesis.placesByKey !== false || kinesis.shardCount > 2) kinesis.merge();
        return;
      case 'auto':
        // On a single shard an answer could not tell of it.
        if (kinesis.shardCount < 2) return;
        kinesis.placesByKey = false;
        kinesis.autoMs.push(time.nowMs);
        return;
      case 'by_key':
        kinesis.placesByKey = true;
        return;
      case 'faults':
        kinesis.faults = { ...world.faults };
        return;
      case 'calm':
        kinesis.faults = { ...noFaults, describeDenied: world.faults.describeDenied };
        return;
      case 'outage':
        kinesis.faults.outage = !kinesis.faults.outage;
        return;
      case 'delete':
        return kinesis.delete();
      case 'create':
        return this.#restore();
      case 'park':
        return park();
    }
  }

  #recreate(): void {
    const { kinesis, dice } = this.#parts;
    kinesis.placesByKey = true;
    kinesis.create(1 + dice.below(6));
  }

  /** Were nobody told that it was gone, nothing could tell that it is another stream. */
  #restore(): void {
    const { kinesis, time, isDone } = this.#parts;
    if (kinesis.exists || isDone()) return;
    if (kinesis.isMissed) this.#recreate();
    else time.after(100, () => this.#restore());
  }

  /** From now on nothing goes wrong: all that is left must be delivered. */
  heal(): void {
    const { kinesis, world } = this.#parts;
    kinesis.faults = { ...noFaults, describeDenied: world.faults.describeDenied };
    if (world.ordering === 'key') kinesis.placesByKey = true;
    this.#restore();
  }
}
