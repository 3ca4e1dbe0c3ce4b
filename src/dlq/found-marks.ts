/**
 * The marks that earlier runs' journals left. Main thread; read once at start, before the segments that they are about, and removed
 * when no segment of their run is left.
 */
import type { Positions } from './checkpoint.ts';
import { type DlqContext, errorFields } from './context.ts';
import { marksNumber, readMarks } from './journal-marks.ts';
import type { Segment } from './segment.ts';

export interface FoundMarks {
  /** Of all files of marks, damaged ones too. */
  readonly names: Map<string, number | undefined>;
  /** By run tag: up to where the entries of that run's journal are done. */
  readonly byTag: ReadonlyMap<number, Positions>;
}

export async function findMarks(context: DlqContext): Promise<FoundMarks> {
  const { files, directory } = context.options;
  const names = new Map<string, number | undefined>();
  const byTag = new Map<number, Positions>();
  for (const { name, kind } of await files.list(directory)) {
    const number = marksNumber(name);
    if (number === undefined || kind !== 'file') continue;
    context.seeSegmentNumber(number);
    const found = await readMarks(files, context.path(name)).catch((error: unknown) => errorFields(error).message);
    const isWhole = typeof found === 'object';
    names.set(name, isWhole ? found.tag : undefined);
    if (isWhole) {
      byTag.set(found.tag, found.positions);
      continue;
    }
    const message = found ?? 'neither of its slots is whole';
    const cure = 'none needed: all of that journal is replayed';
    context.report({ change: 'marks_damaged', name, message, cure });
  }
  return { names, byTag };
}

/** Removes those of runs of which none of these segments is. */
export async function removeMarks(context: DlqContext, marks: FoundMarks, left: readonly Segment[]): Promise<void> {
  const { files } = context.options;
  const tags = new Set(left.map(({ tag }) => tag));
  for (const [name, tag] of marks.names) {
    if (tag !== undefined && tags.has(tag)) continue;
    if (await context.attempt('unlink', () => files.unlink(context.path(name)))) marks.names.delete(name);
  }
}
