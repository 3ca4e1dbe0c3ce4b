/**
 * Connections of the fuzz lane: bytes with mutants and sound events between them, and what the daemon must say and deliver.
 * Pure; the same index and seed give the same connection.
 */
import { AckLevel, encodeEvent, encodeHello } from '../../src/ingress/frame-layout.ts';
import { listening } from '../ingress/feeding.ts';
import { type Expected, expectFrames, expectLines } from './expected.ts';
import { damage, eventBytesMax, mutatedFrame, mutatedText } from './mutations.ts';
import { type Below, pick } from './seeded.ts';

/** What was heard of one connection, counted. */
export interface Heard {
  /** Events in the daemon's ledger because of this connection. */
  readonly received: number;
  readonly refused: number;
  /** Names of the answers, one for each that was given. */
  readonly answers: string[];
}

export interface Scenario {
  readonly to: 'frames' | 'keyed' | 'http';
  readonly bytes: Buffer;
  /** Names of the mutations in it, one list per mutant that the daemon had to look at. */
  readonly mutants: readonly (readonly string[])[];
  /** Sound events that must arrive, once. */
  readonly expected: readonly number[];
  /** Counts what the daemon said until it ended the connection; throws where that is not what it must say. */
  readonly check: (heard: Buffer) => Heard;
}

/** Most sound events of one connection: their numbers begin at the connection's index times this. */
export const controlsMax = 96;

/** A sound event: its text, its key. */
export const controlText = (id: number): string => `{"user":{"id":"${controlKey(id)}"},"control":${id}}`;
export const controlKey = (id: number): string => `c${id % 1_000}`;

/** Number of a sound event, when `data` is exactly one. */
export function controlOf(data: string): number | undefined {
  const id = /,"control":(\d+)\}$/.exec(data)?.[1];
  return id !== undefined && data === controlText(Number(id)) ? Number(id) : undefined;
}

export function controlsIn(data: readonly string[]): number[] {
  return data.map(controlOf).filter((id) => id !== undefined);
}

/** Sound events and mutants in turn, as `make` writes them; `first` is the number of the first sound one. */
export interface Item {
  readonly bytes: Buffer;
  /** Undefined: a sound event. */
  readonly names: readonly string[] | undefined;
  readonly id: number;
}

export function items(first: number, count: number, below: Below, mutant: () => Omit<Item, 'id'>): Item[] {
  let id = first;
  return Array.from({ length: count }, (_, index) => {
    if (index > 0 && below(3) > 0) return { ...mutant(), id: -1 };
    id += 1;
    return { bytes: Buffer.from(controlText(id - 1)), names: undefined, id: id - 1 };
  });
}

/** Frames over the unix socket, behind a hello that is mostly sound. */
export function framesScenario(first: number, below: Below): Scenario {
  const level = pick([AckLevel.memory, AckLevel.memory, AckLevel.stream], below);
  const { bytes, starts } = frameBytes(first, below, level);
  // Without its first byte it is no connection of frames.
  if (bytes[0] !== 0xff) return { ...plainLines(bytes), mutants: [['hello']] };
  const expected = expectFrames(bytes, 'orders', [0, 2, 255]);
  const looked = starts.filter(({ start }) => start <= expected.read);
  return {
    to: 'frames',
    bytes,
    mutants: looked.map(({ names }) => names),
    expected: acceptedControls(expected),
    check: (heard) => checkFrames(heard, expected),
  };
}

/** A hello and frames; where the mutants among them begin. */
export function frameBytes(first: number, below: Below, ackLevel: number = AckLevel.memory) {
  const greeting =
    below(25) === 0 ? damage(encodeHello(pick(['', 'orders', 'nowhere'], below), ackLevel), below) : undefined;
  const hello = greeting?.bytes ?? encodeHello('', ackLevel);
  const parts = [hello];
  const starts = greeting === undefined ? [] : [{ start: 0, names: ['hello', ...greeting.names] }];
  let offset = hello.length;
  for (const { bytes, names, id } of items(first, 6 + below(20), below, () => mutatedFrame(below))) {
    const frame = names === undefined ? encodeEvent(Buffer.from(controlKey(id)), bytes) : bytes;
    if (names !== undefined) starts.push({ start: offset, names: [...names] });
    parts.push(frame);
    offset += frame.length;
  }
  return { bytes: Buffer.concat(parts), starts };
}

export function acceptedControls({ accepted }: Expected): number[] {
  return accepted.flatMap(({ key, data }) => {
    const id = controlOf(data);
    return id !== undefined && key === controlKey(id) ? [id] : [];
  });
}

function checkFrames(heard: Buffer, expected: Expected): Heard {
  const { told, push } = listening();
  push(heard);
  const refused: Record<string, number> = {};
  for (const { code, count } of told.refusals) refused[code] = (refused[code] ?? 0) + count;
  same('acknowledged', told.acks.at(-1) ?? 0, expected.judged);
  same('refused', sorted(refused), sorted(expected.refused));
  same('errors', told.errors, expected.error === undefined ? [] : [expected.error]);
  const refusals = Object.entries(refused).flatMap(([code, count]) => Array<string>(count).fill(`refusal ${code}`));
  const acks = Array<string>(expected.judged - refusals.length).fill('ack');
  const broken = expected.error === 'bad_frame' ? 1 : 0;
  return {
    received: expected.judged + broken,
    refused: refusals.length + broken,
    answers: [...acks, ...refusals, ...told.errors.map((code) => `error ${code}`)],
  };
}

/** Lines to the listener with a key field, or to the one without. */
export function linesScenario(first: number, below: Below): Scenario {
  const all = items(first, 6 + below(26), below, () => mutatedText(below));
  const bytes = Buffer.concat(all.flatMap(({ bytes: line }) => [line, Buffer.from(lineEnd(below))]));
  const mutants = all.flatMap(({ names }) => (names === undefined ? [] : [names]));
  return below(2) === 0 ? { ...plainLines(bytes), mutants } : { ...keyedLines(bytes), mutants };
}

/** Mostly what ends a line. */
export function lineEnd(below: Below): string {
  const choice = below(24);
  return choice < 16 ? '\n' : choice < 21 ? '\r\n' : choice < 22 ? '\n\r\n\n' : choice < 23 ? '\r' : '';
}

function plainLines(bytes: Buffer): Scenario {
  const lines = expectLines(bytes);
  const tooLong = lines.filter((line) => line.length + 16 > eventBytesMax).length;
  const check = (heard: Buffer): Heard => {
    const counted = checkLines(heard, lines.length);
    same('refused lines', counted.refused, tooLong);
    return counted;
  };
  return { to: 'frames', bytes, mutants: [], expected: controlsIn(lines), check };
}

function keyedLines(bytes: Buffer): Scenario {
  const lines = expectLines(bytes);
  return {
    to: 'keyed',
    bytes,
    mutants: [],
    expected: controlsIn(lines),
    check: (heard) => checkLines(heard, lines.length),
  };
}

function checkLines(heard: Buffer, judged: number): Heard {
  const answers: string[] = [];
  let totals = { accepted: 0, refused: 0 };
  for (const line of heard
    .toString()
    .split('\n')
    .filter((each) => each !== '')) {
    const told = JSON.parse(line) as {
      error?: string;
      line?: number;
      count?: number;
      omitted?: number;
      accepted?: number;
    };
    if (told.accepted !== undefined) totals = told as typeof totals;
    else if (told.omitted !== undefined) answers.push(...Array<string>(told.omitted).fill('refusal omitted'));
    else if (told.line !== undefined) answers.push(...Array<string>(told.count ?? 1).fill(`refusal ${told.error}`));
    else throw new Error(`the connection ended with ${line}`);
  }
  const { accepted, refused } = totals;
  same('judged lines', accepted + refused, judged);
  same('told refusals', answers.length, refused);
  return { received: judged, refused, answers: [...Array<string>(accepted).fill('ack'), ...answers] };
}

export function same(what: string, got: unknown, wanted: unknown): void {
  const [gotText, wantedText] = [JSON.stringify(got), JSON.stringify(wanted)];
  if (gotText !== wantedText) throw new Error(`${what}: ${gotText}, not ${wantedText}`);
}

function sorted(counts: Record<string, number>): [string, number][] {
  return Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1));
}
