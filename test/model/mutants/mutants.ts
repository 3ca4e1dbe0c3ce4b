/**
 * Seeded mistakes in the ring: each as an edit of the source and as `MUTANT_<number>` of spin/ring.pml. Test code only.
 *
 * They show that the model, the interleavings and the stress test can fail, and would for this reason. The model and the
 * interleavings catch all of them, the stress test those that say so. An edit must find its text exactly once in the file.
 */
export interface Mutant {
  /** The number in ring.pml: compiled with `-DMUTANT_<number>`. */
  readonly number: number;
  readonly name: string;
  readonly file: 'producer.ts' | 'consumer.ts' | 'waiting.ts';
  readonly edits: readonly (readonly [find: string, replace: string])[];
  /** What two real threads can show too. A lost wake-up is rare there, and a dead consumer does not occur. */
  readonly stressCatches: boolean;
}

export const mutants: readonly Mutant[] = [
  {
    number: 1,
    name: 'publish-before-write',
    file: 'producer.ts',
    edits: [
      ['    return offset;\n', '    Atomics.store(this.#words, this.#headWord, this.#claimed);\n    return offset;\n'],
    ],
    stressCatches: true,
  },
  {
    number: 2,
    name: 'release-up-to-cursor',
    file: 'consumer.ts',
    edits: [
      [
        'Atomics.store(this.#words, this.#tailWord, this.#done)',
        'Atomics.store(this.#words, this.#tailWord, this.#cursor)',
      ],
    ],
    stressCatches: true,
  },
  {
    number: 3,
    name: 'wake-is-decided-before-publish',
    file: 'producer.ts',
    edits: [
      ['  #published: number;\n', '  #published: number;\n  #sleeperSeen = 0;\n'],
      [
        '    if (this.#claimed === this.#published) return false;\n',
        '    if (this.#claimed === this.#published) return false;\n    this.#sleeperSeen = Atomics.load(this.#words, this.#sleepingWord);\n',
      ],
      ['if (Atomics.load(this.#words, this.#sleepingWord) === 0) return;', 'if (this.#sleeperSeen === 0) return;'],
    ],
    stressCatches: false,
  },
  {
    number: 4,
    name: 'announce-before-enlist',
    file: 'waiting.ts',
    edits: [
      ['    Atomics.store(this.#words, this.#sleepingWord, 1);\n', ''],
      [
        '    const waiting = Atomics.waitAsync',
        '    Atomics.store(this.#words, this.#sleepingWord, 1);\n    const waiting = Atomics.waitAsync',
      ],
      ['Atomics.load(this.#words, this.#headWords[ring] as number) === headsSeen[ring]', 'true'],
      [
        'if (!waiting.async) return undefined;',
        'if (!waiting.async) {\n      Atomics.store(this.#words, this.#sleepingWord, 0);\n      return undefined;\n    }',
      ],
    ],
    stressCatches: false,
  },
  {
    number: 5,
    name: 'claim-one-unit-too-many',
    file: 'producer.ts',
    edits: [
      [
        'if (needed > this.capacity - ((this.#claimed - this.#tailSeen) | 0)) return 0;',
        'if (needed > this.capacity + 8 - ((this.#claimed - this.#tailSeen) | 0)) return 0;',
      ],
    ],
    stressCatches: true,
  },
  {
    number: 6,
    name: 'padding-not-counted',
    file: 'producer.ts',
    edits: [
      ['const needed = size <= untilEnd ? size : untilEnd + size;', 'const needed = size;'],
      [
        'this.#claimed = (this.#claimed + needed) | 0;',
        'this.#claimed = (this.#claimed + (size <= untilEnd ? size : untilEnd + size)) | 0;',
      ],
    ],
    stressCatches: true,
  },
  {
    number: 7,
    name: 'release-of-pending-entries',
    file: 'consumer.ts',
    edits: [['      if (state !== EntryState.delivered && state !== EntryState.settled) return 0;\n', '']],
    stressCatches: false,
  },
  {
    number: 8,
    name: 'padding-is-read-as-an-entry',
    file: 'consumer.ts',
    edits: [
      ['(offset + entry.state) >>> 2] !== EntryState.padding', '(offset + entry.state) >>> 2] !== EntryState.settled'],
    ],
    stressCatches: true,
  },
  {
    number: 9,
    name: 'no-second-look-at-head',
    file: 'waiting.ts',
    edits: [['Atomics.load(this.#words, this.#headWords[ring] as number) === headsSeen[ring]', 'true']],
    stressCatches: false,
  },
  {
    number: 10,
    name: 'successor-starts-at-head',
    file: 'consumer.ts',
    edits: [
      [
        'this.#done = tail ?? Atomics.load(this.#words, this.#tailWord);',
        'this.#done = tail ?? Atomics.load(this.#words, this.#headWord);',
      ],
    ],
    stressCatches: false,
  },
  {
    number: 11,
    name: 'positions-compared-without-wrap',
    file: 'consumer.ts',
    edits: [
      ['      if (this.#cursor === this.#headSeen) {\n', '      if (this.#cursor >= this.#headSeen) {\n'],
      [
        '        if (this.#cursor === this.#headSeen) return 0;',
        '        if (this.#cursor >= this.#headSeen) return 0;',
      ],
    ],
    stressCatches: true,
  },
];

/**
 * Mistakes in what a lane does with the ring (src/observe/counters.ts, src/threads/lane.ts, src/deliver/lane-loop.ts), which the
 * model has and the interleavings do not: a death within a commit is between two plain stores.
 */
export const bookMutants: readonly { readonly number: number; readonly name: string }[] = [
  { number: 12, name: 'counters-written-in-place' },
  { number: 13, name: 'successor-does-not-count-what-was-ahead' },
  { number: 14, name: 'release-before-commit' },
];
