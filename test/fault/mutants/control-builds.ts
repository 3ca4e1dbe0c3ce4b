/**
 * The five mistakes that every test of a durable queue must find: each is one that a product of this kind was shipped with. Test
 * code only; `npm test` hunts for all of them, and so for the power of its own tests.
 */
import type { DiskMutant } from './mutant.ts';

export const controlBuilds: readonly DiskMutant[] = [
  {
    name: 'acknowledged before the fsync',
    file: 'dlq/writer.ts',
    edits: [
      [
        '    this.#unsynced.push(unit);\n',
        `    this.#unsynced.push(unit);
    const written = this.#settledUnits + this.#unsynced.length;
    while (this.#settleWaiters.length > 0 && this.#settleWaiters[0]!.target <= written) {
      this.#settleWaiters.shift()!.resolve(true);
    }
`,
      ],
    ],
    finders: ['fault/power-failures'],
  },
  {
    name: 'a new segment without a sync of its directory',
    file: 'dlq/writer.ts',
    edits: [['    await files.syncDirectory(directory);\n    open.isNamed = true;\n', '    open.isNamed = true;\n']],
    finders: ['fault/power-failures'],
  },
  {
    name: 'segments removed before the checkpoint that covers them',
    file: 'dlq/checkpoints.ts',
    edits: [
      [
        '      if (!(await this.#flush())) {\n',
        `      for (const [index, queue] of this.#queues.entries()) {
        await this.#removeCovered({ ...queue, written: Math.max(queue.written, done[index]!) });
      }
      if (!(await this.#flush())) {
`,
      ],
    ],
    finders: ['fault/power-failures'],
  },
  {
    name: 'a failed fsync tried again on the same file',
    file: 'dlq/writer.ts',
    edits: [['    await open.file.sync();\n', '    await open.file.sync().catch(() => open.file.sync());\n']],
    finders: ['dlq/journal', 'fault/failed-calls'],
  },
  {
    name: 'payloads handed out without a look at their checksum',
    file: 'dlq/reader.ts',
    edits: [
      ['      if (payloads && !isPayloadWhole(memory, at, length)) {\n', '      if (payloads && length < 0) {\n'],
    ],
    finders: ['fault/segment-damage'],
  },
];
