/** What a seeded mistake is. Test code only. */

export interface DiskMutant {
  readonly name: string;
  /** Below src. */
  readonly file: string;
  /** Each finds its text exactly once in the file: a stale one is a mistake. */
  readonly edits: readonly (readonly [find: string, replace: string])[];
  /** Tests that should find it, below dist/test without `.test.js`, the quickest first. */
  readonly finders: readonly string[];
}
