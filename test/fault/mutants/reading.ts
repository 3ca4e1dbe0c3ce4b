/** Seeded mistakes in what a start makes of a directory, and in how entries are read. Test code only. */
import type { DiskMutant } from './mutant.ts';

export const readingMutants: readonly DiskMutant[] = [
  {
    name: 'entry headers taken without a look at their checksum',
    file: 'dlq/layout.ts',
    edits: [
      [
        '  if (words[word] !== entryMagic || words[word + 11] !== crcOfWords(words, word, 11)) return false;\n',
        '  if (words[word] !== entryMagic) return false;\n',
      ],
    ],
    finders: ['fault/segment-damage'],
  },
  {
    name: 'segment headers taken without a look at their checksum',
    file: 'dlq/layout.ts',
    edits: [
      [
        '  if (words[0] !== segmentMagic || words[15] !== crcOfWords(words, 0, 15)) return undefined;\n',
        '  if (words[0] !== segmentMagic) return undefined;\n',
      ],
    ],
    finders: ['fault/segment-damage'],
  },
  {
    name: 'a checkpoint believed without a look at its checksum',
    file: 'dlq/checkpoint.ts',
    edits: [['  if (words[0] !== checkpointMagic || !isWhole) {\n', '  if (words[0] !== checkpointMagic) {\n']],
    finders: ['dlq/damage'],
  },
  {
    name: 'a torn tail cut with the whole entry before it',
    file: 'dlq/census.ts',
    edits: [['await cutTail(context, item, validBytes);', 'await cutTail(context, item, validBytes - 8);']],
    finders: ['dlq/damage', 'fault/power-failures'],
  },
  {
    name: 'the last whole entry of a segment taken for torn',
    file: 'dlq/reader.ts',
    edits: [['this.#next + length > end ||', 'this.#next + length >= end ||']],
    finders: ['dlq/replay', 'fault/disk-faults'],
  },
  {
    name: 'sequences used again after a restart',
    file: 'dlq/recover.ts',
    edits: [
      [
        '    context.lastSequence = Math.max(context.lastSequence, last);\n    return true;\n',
        '    return last >= 0;\n',
      ],
    ],
    finders: ['dlq/indexing', 'fault/disk-faults'],
  },
  {
    name: 'sequences of a segment that cannot be read used again',
    file: 'dlq/recover.ts',
    edits: [['  if (areSomeUnread) context.lastSequence += unreadLead;\n', '']],
    finders: ['dlq/unread', 'fault/disk-faults'],
  },
  {
    name: 'sequences that only marks name used again',
    file: 'dlq/recover.ts',
    edits: [['of [positions, ...marks.byTag.values()]) {', 'of [positions]) {']],
    finders: ['dlq/unread'],
  },
  {
    name: "another run's marks believed",
    file: 'dlq/recover.ts',
    edits: [['this.#marks.byTag.get(tag) : undefined', '[...this.#marks.byTag.values()].at(-1) : undefined']],
    finders: ['dlq/journal', 'fault/disk-faults'],
  },
  {
    name: 'zeros that were written ahead taken for damage',
    file: 'dlq/census.ts',
    edits: [["    const isZeroed = tail?.cause === 'tail' && ", "    const isZeroed = tail?.cause === 'header' && "]],
    finders: ['dlq/journal'],
  },
  {
    name: 'what a segment and its continuation both have counted twice',
    file: 'dlq/census.ts',
    edits: [['  if (sequence <= counted[kind][slot]!) return;\n', '']],
    finders: ['dlq/directories', 'fault/disk-faults'],
  },
  {
    name: 'files that were not finished left behind by a start',
    file: 'dlq/recover.ts',
    edits: [
      [
        "for (const name of unfinished) await context.attempt('unlink', () => files.unlink(context.path(name)));\n",
        "for (const name of unfinished) context.report({ change: 'skipped', name, why: 'partial' });\n",
      ],
    ],
    finders: ['dlq/damage', 'fault/power-failures'],
  },
];
