/**
 * A DLQ's directory as a tool sees it that must change nothing: which segments there are, what their headers say, what else lies
 * there. Main thread of a command; reads beside a running daemon, too, since segments only grow, and what vanishes meanwhile was
 * done. It opens nothing but regular files with names of ours, directly in the directory, and follows no link.
 */
import { join } from 'node:path';
import { toPlainError } from '../base/errors.ts';
import type { DirectoryEntry, Files } from '../edges/files.ts';
import { checkpointName, type Positions, readCheckpoint } from './checkpoint.ts';
import { firstSequenceIn, headBytes, readHead } from './heads.ts';
import { marksNumber } from './journal-marks.ts';
import { heapMemory, isKnownVersion, kindNames, segmentHeaderBytes } from './layout.ts';
import { reserveName } from './reserve.ts';
import { parseName } from './segment.ts';

/** More names than this are not looked at: a DLQ of the largest size has fewer segments. */
const namesMax = 1_000_000;

export interface SegmentFacts {
  readonly name: string;
  readonly series: string;
  readonly kind: number;
  readonly number: number;
  /** The run tag that entries must carry; undefined: the header is damaged. */
  readonly tag: number | undefined;
  /** Of the key that it is encrypted with; undefined: it is not, as far as can be seen. */
  readonly keyId: number | undefined;
  readonly bytes: number;
  readonly firstSequence: number;
  /** 0: the header is damaged. */
  readonly createdMs: number;
  /** Sequence from which on its entries stand in another segment. */
  readonly clip: number;
  /** A daemon is writing to it. */
  readonly isOpen: boolean;
  /** Why it is no segment that can be read. */
  readonly problem: string | undefined;
}

export interface OtherFile {
  readonly name: string;
  readonly bytes: number;
  readonly why: string;
}

export interface DirectoryView {
  /** In the order of their sequences. */
  readonly segments: readonly SegmentFacts[];
  /** Damaged ranges and segments that were set aside. */
  readonly quarantined: readonly OtherFile[];
  /** What is not the DLQ's, or not finished: left alone. */
  readonly left: readonly OtherFile[];
  readonly positions: Positions;
  readonly checkpointDamage: string | undefined;
}

/** The DLQ's, and no segment. */
const isOwn = (name: string): boolean =>
  name === checkpointName || name === reserveName || marksNumber(name) !== undefined;

/** Rejects with what the system says of the directory itself. `open`: names of segments that a daemon is writing to. */
export async function viewDirectory(files: Files, directory: string, open: readonly string[]): Promise<DirectoryView> {
  const found: Facts[] = [];
  const quarantined: OtherFile[] = [];
  const left: OtherFile[] = [];
  const entries = (await files.list(directory)).slice(0, namesMax);
  for (const item of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const { name, kind } = item;
    const parsed = parseName(name);
    if (kind !== 'file') left.push({ name, bytes: 0, why: kind === 'other' ? 'no file' : kind });
    else if (parsed?.form === 'segment') {
      const facts = await inspect(files, directory, item, open);
      if (facts !== undefined) found.push(facts);
    } else if (parsed?.form === 'quarantine') {
      quarantined.push({ name, bytes: await sizeOf(files, join(directory, name)), why: 'quarantine' });
    } else if (!isOwn(name)) {
      left.push({ name, bytes: await sizeOf(files, join(directory, name)), why: parsed?.form ?? 'foreign' });
    }
  }
  const checkpoint = await readCheckpoint(files, join(directory, checkpointName));
  const positions = 'byName' in checkpoint ? checkpoint : { others: 0, byName: new Map<string, number>() };
  const checkpointDamage = 'damage' in checkpoint ? checkpoint.damage : undefined;
  return { segments: inOrder(found), quarantined, left, positions, checkpointDamage };
}

type Facts = Omit<SegmentFacts, 'clip'> & { readonly ownNumber: number; readonly continues: number };

function inOrder(found: readonly Facts[]): SegmentFacts[] {
  const sorted = found.toSorted((a, b) => a.firstSequence - b.firstSequence || a.number - b.number);
  const continued = new Map(
    sorted.toReversed().map((facts) => [`${facts.kind} ${facts.continues}`, facts.firstSequence]),
  );
  return sorted.map(({ ownNumber, continues: _continues, ...facts }) => ({
    ...facts,
    clip: continued.get(`${facts.kind} ${ownNumber}`) ?? Number.POSITIVE_INFINITY,
  }));
}

/** Undefined: it is gone. */
async function inspect(
  files: Files,
  directory: string,
  { name }: DirectoryEntry,
  open: readonly string[],
): Promise<Facts | undefined> {
  const parsed = parseName(name);
  if (parsed === undefined) return undefined;
  const facts = {
    name,
    series: name.slice(0, name.indexOf('-')),
    kind: parsed.kind as number,
    number: parsed.number,
    ownNumber: parsed.number,
    continues: 0,
    tag: undefined,
    keyId: undefined,
    bytes: 0,
    firstSequence: 0,
    createdMs: 0,
    isOpen: open.includes(name),
  };
  try {
    const file = await files.open(join(directory, name), 'read');
    try {
      const bytes = await file.size();
      const { header, first, keyId } = await readHead(file, heapMemory(headBytes), undefined);
      if (header === undefined) {
        const begins = first?.sequence ?? (await firstSequenceIn(file, bytes, undefined, (read) => read()));
        return { ...facts, bytes, keyId, firstSequence: begins, problem: undefined };
      }
      const { version, kind, tag, number, firstSequence, createdMs, continues } = header;
      // As a start has it: one that was begun and has no whole entry takes nothing over. What is encrypted is not opened here.
      const hasEntries = keyId === undefined ? first !== undefined : bytes > segmentHeaderBytes;
      const read = {
        ...facts,
        bytes,
        tag,
        keyId,
        ownNumber: number,
        firstSequence,
        createdMs,
        continues: hasEntries ? continues : 0,
      };
      const isKnown = kind in kindNames;
      const series = isKnown ? kindNames[kind as keyof typeof kindNames] : `series_${kind}`;
      const problem = isKnownVersion(version) ? undefined : `version ${version}, which this build does not read`;
      return { ...read, kind, series, problem: isKnown ? problem : (problem ?? `series ${kind} is not known`) };
    } finally {
      await file.close();
    }
  } catch (error) {
    const { code, message } = toPlainError(error);
    return code === 'ENOENT' ? undefined : { ...facts, problem: message };
  }
}

async function sizeOf(files: Files, path: string): Promise<number> {
  try {
    const file = await files.open(path, 'read');
    try {
      return await file.size();
    } finally {
      await file.close();
    }
  } catch {
    return 0;
  }
}
