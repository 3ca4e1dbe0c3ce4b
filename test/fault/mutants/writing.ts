/** Seeded mistakes in how events get to the disk: the writer, the format, the journal. Test code only. */
import type { DiskMutant } from './mutant.ts';

export const writingMutants: readonly DiskMutant[] = [
  {
    name: 'a failed fsync taken for one that was not',
    file: 'dlq/writer.ts',
    edits: [
      [
        '        this.#syncing = undefined;\n        this.#poison = { error };\n',
        '        this.#syncing = undefined;\n        this.#settle(units);\n',
      ],
    ],
    finders: ['fault/failed-calls'],
  },
  {
    name: 'a journal that acknowledges what is written',
    file: 'dlq/writer.ts',
    edits: [
      [
        '    this.#unsynced.push(unit);\n',
        '    this.#unsynced.push(unit);\n    this.watch?.durable(unit.lastSequence);\n',
      ],
    ],
    finders: ['fault/power-failures'],
  },
  {
    name: 'a write through that is an ordinary write',
    file: 'dlq/writer.ts',
    edits: [["open.segment.name), 'through')", "open.segment.name), 'edit')"]],
    finders: ['fault/power-failures'],
  },
  {
    name: 'a write that found no room taken for whole',
    file: 'dlq/writer.ts',
    edits: [
      [
        '        await (through ?? file).write(arena.buffer, unit.blocks[index]!, length, position);\n',
        `        await (through ?? file).write(arena.buffer, unit.blocks[index]!, length, position).catch((error) => {
        if (error.code !== 'ENOSPC') throw error;
      });
`,
      ],
    ],
    finders: ['fault/failed-calls'],
  },
  {
    name: 'what a failed segment may have lost is not told',
    file: 'dlq/writer.ts',
    edits: [
      [
        '      for (const { resolve } of this.#settleWaiters.splice(0)) resolve(false);\n      this.watch',
        '      this.watch',
      ],
    ],
    finders: ['dlq/risk'],
  },
  {
    name: 'memory given back before the sync although every write is synced',
    file: 'dlq/writer.ts',
    edits: [["    if (this.#context.syncs === 'each') return false;\n", '']],
    finders: ['dlq/risk', 'fault/failed-calls'],
  },
  {
    name: 'memory given back before the sync although senders wait for the disk',
    file: 'dlq/writer.ts',
    edits: [['    if (this.#context.mustSync) {\n', '    if (this.#context.options.segmentBytes === 0) {\n']],
    finders: ['dlq/risk', 'fault/failed-calls'],
  },
  {
    name: 'a segment that continues another does not say so',
    file: 'dlq/writer.ts',
    edits: [['        continues: this.#continues,\n', '        continues: 0,\n']],
    finders: ['fault/failed-calls'],
  },
  {
    name: 'what is taken back from a failed segment is still counted in it',
    file: 'dlq/writer.ts',
    edits: [['    for (const unit of kept) segment.tally.add(unit.tally, -1);\n', '']],
    finders: ['dlq/risk', 'fault/failed-calls'],
  },
  {
    name: 'a failed segment is not cut to what is known to be whole',
    file: 'dlq/writer.ts',
    edits: [['    segment.bytes = first.position;\n    segment.lastSequence', '    segment.lastSequence']],
    finders: ['dlq/risk', 'fault/failed-calls'],
  },
  {
    name: 'new entries appended to a segment of another run',
    file: 'dlq/writer.ts',
    edits: [
      [
        '    const { firstSequence } = unit;\n',
        `    const { firstSequence } = unit;
    const found = this.segments.findLast((one) => one.tag !== tag && !one.finished);
    if (found !== undefined) {
      const opened = await options.files.open(this.#context.path(found.name), 'edit');
      found.sealed = false;
      return { segment: found, file: opened, isNamed: false, zeroedTo: segmentHeaderBytes };
    }
`,
      ],
    ],
    finders: ['dlq/format', 'fault/disk-faults'],
  },
  {
    name: 'padding that is 8 bytes too long',
    file: 'dlq/layout.ts',
    edits: [['  return (length + 7) & ~7;\n', '  return (length + 8) & ~7;\n']],
    finders: ['dlq/format'],
  },
  {
    name: 'marks that move before what the DLQ took is on disk',
    file: 'dlq/journal.ts',
    edits: [['      if (!(await this.#flushDlq())) {\n', '      if (this.#closed) {\n']],
    finders: ['dlq/journal', 'fault/power-failures'],
  },
  {
    name: 'marks that cover the oldest commit that is still in its ring',
    file: 'dlq/journal-rings.ts',
    edits: [
      [
        '    if (this.#count > 0) return this.#firsts[this.#oldest]! - 1;\n',
        '    if (this.#count > 0) return this.#firsts[this.#oldest]!;\n',
      ],
    ],
    finders: ['dlq/journal', 'fault/disk-faults'],
  },
  {
    name: 'journal segments removed when the first stream is through',
    file: 'dlq/journal.ts',
    edits: [
      ['    await this.#removeCovered(Math.min(...done));\n', '    await this.#removeCovered(Math.max(...done));\n'],
    ],
    finders: ['fault/disk-faults'],
  },
];
