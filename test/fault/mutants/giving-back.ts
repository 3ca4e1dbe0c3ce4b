/** Seeded mistakes in what is given back: checkpoints, segments that go, quarantine, the reserve, what is dropped. Test code only. */
import type { DiskMutant } from './mutant.ts';

export const givingBackMutants: readonly DiskMutant[] = [
  {
    name: 'a checkpoint written in place',
    file: 'dlq/checkpoint.ts',
    edits: [
      ['context.path(checkpointTemporaryName);', 'context.path(checkpointName);'],
      ['  await files.rename(temporary, context.path(checkpointName));\n', ''],
    ],
    finders: ['fault/disk-faults'],
  },
  {
    name: 'a checkpoint that takes its name before its bytes are on disk',
    file: 'dlq/checkpoint.ts',
    edits: [["    if (fsync.kind !== 'none') await file.sync();\n", '']],
    finders: ['fault/power-failures'],
  },
  {
    name: 'segments removed while the name of their checkpoint is not on disk',
    file: 'dlq/checkpoint.ts',
    edits: [["  if (fsync.kind !== 'none') await files.syncDirectory(directory);\n", '']],
    finders: ['fault/power-failures'],
  },
  {
    name: 'a checkpoint before what was set aside anew is on disk',
    file: 'dlq/checkpoints.ts',
    edits: [['      if (!(await this.#flush())) {\n', '      if (this.#queues.length === 0) {\n']],
    finders: ['dlq/replay', 'fault/power-failures'],
  },
  {
    name: 'a checkpoint of what is still on its way',
    file: 'dlq/checkpoints.ts',
    edits: [
      [
        '      covered >= cursor.handedPosition ? cursor.donePosition : covered,\n',
        '      Math.max(covered, cursor.donePosition),\n',
      ],
    ],
    finders: ['dlq/replay', 'fault/disk-faults'],
  },
  {
    name: 'segments removed with events in flight',
    file: 'dlq/checkpoints.ts',
    edits: [['      if (segment.lastSequence > written) continue;\n', '']],
    finders: ['dlq/replay', 'fault/disk-faults'],
  },
  {
    name: 'a segment that could not be read counted as done',
    file: 'dlq/quarantine.ts',
    edits: [
      [
        'parseName(name)?.kind !== Kind.dead) context.unkept.set(name, why);',
        'name === why) context.unkept.set(name, why);',
      ],
    ],
    finders: ['dlq/unread', 'fault/disk-faults'],
  },
  {
    name: 'a checkpoint that passes a segment before it is set aside',
    file: 'dlq/checkpoints.ts',
    edits: [
      [
        '        for (const [index, queue] of this.#queues.entries()) done[index] = await this.#keepBefore(queue, done[index]!);\n',
        '',
      ],
    ],
    finders: ['dlq/unread', 'fault/disk-faults'],
  },
  {
    name: 'a segment passed while its new name is not on disk',
    file: 'dlq/quarantine.ts',
    edits: [['    context.areAsidesUnsynced = true;\n    context.report', '    context.report']],
    finders: ['dlq/unread', 'fault/disk-faults'],
  },
  {
    name: 'a quarantine that deletes',
    file: 'dlq/quarantine.ts',
    edits: [
      [
        '    await files.rename(context.path(name), context.path(aside));\n',
        '    await files.unlink(context.path(name));\n',
      ],
    ],
    finders: ['dlq/directories'],
  },
  {
    name: 'damage removed without a copy',
    file: 'dlq/quarantine.ts',
    edits: [['  segment.file.damagedRanges += 1;\n', '  segment.file.damagedRanges += 1;\n  if (to > from) return;\n']],
    finders: ['dlq/damage'],
  },
  {
    name: 'a reserve that is never released',
    file: 'dlq/reserve.ts',
    edits: [['      if (wasHeld) this.#work = this.#after(() => this.#remove());\n', '']],
    finders: ['dlq/reserve'],
  },
  {
    name: 'drop-oldest takes what was handed out',
    file: 'dlq/retention.ts',
    edits: [
      [
        '  return cursor.isLoading || (firstSequence <= cursor.handedPosition && covered < cursor.handedPosition);\n',
        '  return cursor.isLoading || covered + firstSequence < 0;\n',
      ],
    ],
    finders: ['dlq/retention'],
  },
  {
    name: 'dead letters that stay, written anew without a sync',
    file: 'dlq/rewrite.ts',
    edits: [['      await copy.sync();\n', '']],
    finders: ['fault/power-failures'],
  },
  {
    name: 'dead letters taken out before they are on disk as spills',
    file: 'dlq/dead-letters.ts',
    edits: [['      if (isMoved && !(await flush()))', '      if (isMoved && this.#paced < 0)']],
    finders: ['dlq/dead-letters', 'fault/power-failures'],
  },
  {
    name: 'marks removed while segments of their run are left',
    file: 'dlq/found-marks.ts',
    edits: [['    if (tag !== undefined && tags.has(tag)) continue;\n', '']],
    finders: ['dlq/journal', 'fault/disk-faults'],
  },
];
