/**
 * What a new run makes of the directory that it finds. Main thread, once, before anything is appended.
 *
 * It reads all headers first, puts the segments in the order of their sequences (names are only names), tells from their
 * entries which streams they belong to, and counts what is still to be done. Damage never stops it: damaged ranges are kept in files of their own, a segment that
 * cannot be read or is of another version is set aside, what is not ours is left alone; each is reported in one line. It
 * appends to nothing, and removes only what the checkpoint covers or what holds no entry. Doing it twice changes nothing, and
 * neither does dying in the middle of it.
 * Memory: one buffer of {@link scanBytes} and one {@link Segment} per file.
 */
import type { OpenFile } from '../edges/files.ts';
import { type Found, newPass, readSegment, scanner } from './census.ts';
import { checkpointName, checkpointTemporaryName, type Positions, readCheckpoint } from './checkpoint.ts';
import { type DlqContext, errorFields } from './context.ts';
import { type FoundMarks, findMarks, removeMarks } from './found-marks.ts';
import { entry, formatVersion, Kind, type Memory } from './layout.ts';
import { removeSegment, setAside } from './quarantine.ts';
import { readSegmentHeader } from './reader.ts';
import { reserveName } from './reserve.ts';
import { newSegment, type ParsedName, parseName, type Segment } from './segment.ts';
import type { StreamNames } from './streams.ts';

export interface Recovered {
  /** By stream, and last those of streams that are not configured; oldest first, all sealed. */
  readonly spills: readonly Segment[][];
  readonly deads: Segment[];
  /** What the last durable checkpoint covers. */
  readonly positions: Positions;
  /** Of journals that earlier runs left. */
  readonly marks: FoundMarks;
  /** An earlier run has promised that events are on disk, and did not end in order. */
  readonly hadJournal: boolean;
}

export async function recover(context: DlqContext, streams: StreamNames): Promise<Recovered> {
  const positions = await recoverPositions(context);
  const pass = newPass(context, streams, positions);
  context.lastSequence = Math.max(positions.others, ...positions.byName.values());
  const marks = await findMarks(context);
  const found = await findSegments(context, pass.memory, marks);
  const spills = pass.counted[Kind.spill].map((): Segment[] => []);
  const deads: Segment[] = [];
  found.sort((a, b) => a.segment.firstSequence - b.segment.firstSequence || a.segment.number - b.segment.number);
  const continuations = new Map(
    found.toReversed().map((item) => [`${item.kind} ${item.continues}`, item.segment.firstSequence]),
  );
  for (const item of found) {
    const { segment, kind } = item;
    const clip = continuations.get(`${kind} ${item.ownNumber}`) ?? Number.POSITIVE_INFINITY;
    const contents = await readSegment(pass, item, clip);
    if (contents === undefined) continue;
    context.lastSequence = Math.max(context.lastSequence, segment.lastSequence);
    const needed = [...contents.bySlot].filter(([, part]) => part.tally.totalEvents > 0);
    segment.file.users = Math.max(1, needed.length);
    if (contents.undone === 0 && (await removeSegment(context, segment))) continue;
    const isRepeated = contents.undone > 0 && needed.length === 0;
    if (isRepeated && (await setAside(context, segment.name, 'other segments hold all of its entries'))) continue;
    // What could not be removed is tried again by the last slot's series, which finds nothing to do in it.
    for (const [slot, part] of needed.length > 0 ? needed : [[spills.length - 1, segment] as const]) {
      (kind === Kind.spill ? (spills[slot] as Segment[]) : deads).push(part);
    }
  }
  const hadJournal =
    marks.names.size > 0 || found.some(({ segment }) => parseName(segment.name)?.kind === Kind.journal);
  await removeMarks(context, marks, spills.flat());
  return { spills, deads, positions, marks, hadJournal };
}

async function recoverPositions(context: DlqContext): Promise<Positions> {
  const { files } = context.options;
  const result = await readCheckpoint(files, context.path(checkpointName));
  if ('byName' in result) return result;
  context.report({
    change: 'checkpoint_damaged',
    message: result.damage,
    cure: 'none needed: all spills are replayed',
  });
  return { others: 0, byName: new Map() };
}

async function findSegments(context: DlqContext, memory: Memory, marks: FoundMarks): Promise<Found[]> {
  const { files, directory } = context.options;
  const found: Found[] = [];
  for (const { name, kind } of await files.list(directory)) {
    const parsed = parseName(name);
    if (parsed !== undefined) context.seeSegmentNumber(parsed.number);
    const isOther = name === checkpointName || name === reserveName || marks.names.has(name);
    if (kind === 'file' && isOther) continue;
    if (kind === 'file' && (name === checkpointTemporaryName || parsed?.form === 'partial')) {
      await context.attempt('unlink', () => files.unlink(context.path(name)));
    } else if (parsed === undefined || kind !== 'file') {
      context.report({ change: 'skipped', name, why: kind === 'file' ? 'foreign' : kind });
    } else {
      const item = await inspect(context, memory, name, parsed, marks);
      if (item !== undefined) found.push(item);
    }
  }
  return found;
}

/** Reads a file's size and header; undefined when it holds nothing for the queue. */
async function inspect(
  context: DlqContext,
  memory: Memory,
  name: string,
  parsed: ParsedName,
  marks: FoundMarks,
): Promise<Found | undefined> {
  let file: OpenFile | undefined;
  try {
    const opened = await context.insist(() => context.options.files.open(context.path(name), 'read'));
    file = opened;
    const size = await context.insist(() => opened.size());
    context.space.usedBytes += size;
    if (parsed.form === 'quarantine') return undefined;
    const header = await context.insist(() => readSegmentHeader(opened, memory));
    if (header !== undefined && header.version !== formatVersion) {
      await setAside(context, name, `its format version is ${header.version}, this build reads ${formatVersion}`);
      return undefined;
    }
    const told = header?.kind;
    const written = isKind(told) ? told : parsed.kind;
    const ownNumber = header?.number ?? parsed.number;
    if (written !== parsed.kind || ownNumber !== parsed.number) {
      context.report({ change: 'misnamed', segment: name, number: ownNumber });
    }
    context.seeSegmentNumber(ownNumber);
    const first = header?.firstSequence ?? (await firstSequenceIn(context, opened, memory, size));
    const kind = written === Kind.dead ? Kind.dead : Kind.spill;
    const streams = context.options.streams.length;
    const done = written === Kind.journal && header !== undefined ? marks.byTag.get(header.tag) : undefined;
    const segment = { ...newSegment(kind, parsed.number, header?.tag, first, streams, done), name };
    segment.sealed = true;
    segment.file.bytes = size;
    const isHeaderDamaged = header === undefined;
    return { kind, segment, size, ownNumber, continues: header?.continues ?? 0, isHeaderDamaged };
  } catch (error) {
    await setAside(context, name, errorFields(error).message);
    return undefined;
  } finally {
    const opened = file;
    if (opened !== undefined) await context.attempt('close', () => opened.close());
  }
}

function isKind(kind: number | undefined): kind is Kind {
  return kind === Kind.spill || kind === Kind.dead || kind === Kind.journal;
}

async function firstSequenceIn(context: DlqContext, file: OpenFile, memory: Memory, size: number): Promise<number> {
  const reader = scanner(file, memory, size, undefined, () => undefined);
  while (await context.insist(() => reader.load())) {
    if (reader.step()) return entry.sequence(memory, reader.at);
  }
  return 0;
}
