/**
 * What a new run makes of the directory that it finds, as far as it must know it before anything is appended: which segments
 * there are, in what order, what they take on disk, and which numbers and sequences are used up. Main thread, once. What the
 * segments hold is counted afterwards, beside the daemon's work (indexer.ts).
 *
 * It reads the head of every segment, and the ends of those that may hold the last sequence. Damage never stops it: a segment
 * that cannot be read or is of another version is set aside, what is not ours is left alone; each is reported in one line. One
 * that is encrypted with a key that is not given does stop it, before anything was changed. It appends to nothing. Doing it twice changes nothing, and neither does dying in the middle of it.
 * Memory: one {@link Found} per file. Open files: at most {@link headsAtOnce}.
 */
import type { OpenFile } from '../edges/files.ts';
import { checkpointName, checkpointTemporaryName, type Positions, readCheckpoint } from './checkpoint.ts';
import { type DlqContext, errorFields } from './context.ts';
import { type FoundMarks, findMarks } from './found-marks.ts';
import { type Found, firstSequenceIn, headBytes, lastSequenceIn, readHead } from './heads.ts';
import { requireKeys } from './key-check.ts';
import { heapMemory, isKnownVersion, Kind, type Memory } from './layout.ts';
import { scanBytes, unreadLead } from './options.ts';
import { setAsideUnread } from './quarantine.ts';
import { reserveName } from './reserve.ts';
import { type ParsedName, parseName } from './segment.ts';

export interface Survey {
  /** In the order of their sequences: names are only names. */
  readonly found: readonly Found[];
  /** What the last durable checkpoint covers. */
  readonly positions: Positions;
  /** Of journals that earlier runs left. */
  readonly marks: FoundMarks;
  /** An earlier run has promised that events are on disk, and did not end in order. */
  readonly hadJournal: boolean;
}

/** Files whose heads are read at one time: as many as libuv has threads, and as many again that wait for one. */
const headsAtOnce = 8;

export async function survey(context: DlqContext): Promise<Survey> {
  const positions = await recoverPositions(context);
  const marks = await findMarks(context);
  for (const { others, byName } of [positions, ...marks.byTag.values()]) {
    context.lastSequence = Math.max(context.lastSequence, others, ...byName.values());
  }
  const heads = new Heads(context, marks);
  const { named, unfinished } = await listSegments(context, marks);
  await heads.read(named);
  requireKeys(heads.encrypted, context.options.keys);
  const { files } = context.options;
  for (const name of unfinished) await context.attempt('unlink', () => files.unlink(context.path(name)));
  for (const { name, why } of heads.unusable) await setAsideUnread(context, name, why);
  const found = heads.found.sort((a, b) => a.firstSequence - b.firstSequence || a.number - b.number);
  for (const { firstSequence } of found) context.lastSequence = Math.max(context.lastSequence, firstSequence);
  let areSomeUnread = heads.unusable.length > 0;
  for (const item of heads.lastOnes()) areSomeUnread = !(await seeLastSequence(context, item)) || areSomeUnread;
  if (areSomeUnread) context.lastSequence += unreadLead;
  const hadJournal = marks.names.size > 0 || found.some(({ name }) => parseName(name)?.kind === Kind.journal);
  return { found, positions, marks, hadJournal };
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

interface Named {
  readonly name: string;
  readonly parsed: ParsedName;
}

/** `unfinished`: copies that a crash cut off. */
async function listSegments(context: DlqContext, marks: FoundMarks): Promise<{ named: Named[]; unfinished: string[] }> {
  const { files, directory } = context.options;
  const named: Named[] = [];
  const unfinished: string[] = [];
  for (const { name, kind } of await files.list(directory)) {
    const parsed = parseName(name);
    if (parsed !== undefined) context.seeSegmentNumber(parsed.number);
    const isOther = name === checkpointName || name === reserveName || marks.names.has(name);
    if (kind === 'file' && isOther) continue;
    if (kind === 'file' && (name === checkpointTemporaryName || parsed?.form === 'partial')) {
      unfinished.push(name);
    } else if (parsed === undefined || kind !== 'file') {
      context.report({ change: 'skipped', name, why: kind === 'file' ? 'foreign' : kind });
    } else {
      named.push({ name, parsed });
    }
  }
  return { named, unfinished };
}

/** Reads heads, some at a time, and remembers which segments may hold the last sequence. */
class Heads {
  readonly found: Found[] = [];
  /** Those that need a key, and those that nothing can be done with. */
  readonly encrypted: { readonly name: string; readonly keyId: number }[] = [];
  readonly unusable: { readonly name: string; readonly why: string }[] = [];
  readonly #context: DlqContext;
  readonly #marks: FoundMarks;
  /** By series: of segments that follow each other only the last one's end is of interest. */
  readonly #latest = new Map<string, Found>();
  /** Those that do not say of which stream they are. */
  readonly #strangers: Found[] = [];

  constructor(context: DlqContext, marks: FoundMarks) {
    this.#context = context;
    this.#marks = marks;
  }

  async read(named: readonly Named[]): Promise<void> {
    let next = 0;
    const readSome = async (): Promise<void> => {
      const memory = heapMemory(headBytes);
      for (let item = named[next++]; item !== undefined; item = named[next++]) await this.#inspect(memory, item);
    };
    await Promise.all(Array.from({ length: headsAtOnce }, readSome));
  }

  lastOnes(): Iterable<Found> {
    return [...this.#latest.values(), ...this.#strangers];
  }

  /** A file that holds nothing for the queue is not remembered. */
  async #inspect(memory: Memory, { name, parsed }: Named): Promise<void> {
    const context = this.#context;
    let file: OpenFile | undefined;
    try {
      const opened = await context.insist(() => context.options.files.open(context.path(name), 'read'));
      file = opened;
      const size = await context.insist(() => opened.size());
      context.space.usedBytes += size;
      if (parsed.form === 'quarantine') return;
      const { keys } = context.options;
      const { header, first, keyId } = await context.insist(() => readHead(opened, memory, keys));
      if (header !== undefined && !isKnownVersion(header.version)) {
        this.unusable.push({ name, why: `its format version is ${header.version}, which this build does not read` });
        return;
      }
      if (keyId !== undefined) this.encrypted.push({ name, keyId });
      if (keyId !== undefined && keys?.has(keyId) !== true) return;
      const told = header?.kind;
      const kind = isKind(told) ? told : parsed.kind;
      const ownNumber = header?.number ?? parsed.number;
      if (kind !== parsed.kind || ownNumber !== parsed.number) {
        context.report({ change: 'misnamed', segment: name, number: ownNumber });
      }
      context.seeSegmentNumber(ownNumber);
      const firstSequence =
        first?.sequence ??
        header?.firstSequence ??
        (await firstSequenceIn(opened, size, keys, (read) => context.insist(read)));
      // A journal is one series for all streams.
      const series = kind === Kind.journal ? '' : first?.stream;
      const tag = header?.tag;
      this.#add(series === undefined ? undefined : `${kind} ${series}`, {
        name,
        file: { bytes: size, keep: false, isAside: false, damagedRanges: 0, users: 1, uncounted: [] },
        kind: kind === Kind.dead ? Kind.dead : Kind.spill,
        marks: kind === Kind.journal && tag !== undefined ? this.#marks.byTag.get(tag) : undefined,
        number: parsed.number,
        ownNumber,
        tag,
        firstSequence,
        // One that was begun and has nothing yet takes nothing over.
        continues: first === undefined ? 0 : (header?.continues ?? 0),
        isHeaderDamaged: header === undefined,
      });
    } catch (error) {
      if (parsed.form === 'quarantine') {
        context.report({ change: 'attempt_failed', what: 'open', ...errorFields(error) });
        return;
      }
      this.unusable.push({ name, why: errorFields(error).message });
    } finally {
      const opened = file;
      if (opened !== undefined) await context.attempt('close', () => opened.close());
    }
  }

  #add(series: string | undefined, item: Found): void {
    this.found.push(item);
    if (series === undefined) {
      this.#strangers.push(item);
      return;
    }
    const latest = this.#latest.get(series);
    if (latest === undefined || latest.firstSequence < item.firstSequence) this.#latest.set(series, item);
    // One is a copy of the other, and either may be the shorter one.
    else if (latest.firstSequence === item.firstSequence) this.#strangers.push(item);
  }
}

function isKind(kind: number | undefined): kind is Kind {
  return kind === Kind.spill || kind === Kind.dead || kind === Kind.journal;
}

/** False: it could not be read. */
async function seeLastSequence(context: DlqContext, { name, file: { bytes }, tag }: Found): Promise<boolean> {
  let file: OpenFile | undefined;
  try {
    const opened = await context.insist(() => context.options.files.open(context.path(name), 'read'));
    file = opened;
    const memory = heapMemory(Math.min(bytes + 8, scanBytes));
    const last = await context.insist(() => lastSequenceIn(opened, memory, bytes, tag));
    context.lastSequence = Math.max(context.lastSequence, last);
    return true;
  } catch (error) {
    // The index will meet it again, and set it aside.
    context.report({ change: 'attempt_failed', what: 'read', ...errorFields(error) });
    return false;
  } finally {
    const opened = file;
    if (opened !== undefined) await context.attempt('close', () => opened.close());
  }
}
