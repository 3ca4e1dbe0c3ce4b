/**
 * Answers what is asked through the control socket: how things stand, which segments are being written, and work on dead letters. Main
 * thread; the daemon makes one when it is ready, and closes it before it drains. Work goes on in small steps beside the traffic, and
 * ends when whoever asked for it says so or goes away.
 */
import { SpillwayError, toPlainError } from '../base/errors.ts';
import type { Work, WorkCounts } from '../dlq/dead-letters.ts';
import { filterOf } from '../dlq/filter.ts';
import type { Ask, Facts, Reply } from './control-messages.ts';
import { type Asker, type ControlFiles, ControlSocket, type Listener } from './control-socket.ts';

/** Progress is told at most this often. */
const progressMs = 100;

export interface ControlParts {
  readonly path: string;
  readonly files: ControlFiles;
  readonly pid: number;
  readonly version: string;
  readonly status: () => object;
  readonly streams: readonly string[];
  readonly openSegments: () => readonly string[];
  readonly run: (work: Work) => Promise<WorkCounts>;
  readonly onGone: Work['onGone'];
  readonly nowMs: () => number;
}

export class Control {
  readonly #parts: ControlParts;
  readonly #running = new Set<Promise<void>>();
  #isClosing = false;
  #socket!: ControlSocket;

  private constructor(parts: ControlParts) {
    this.#parts = parts;
  }

  static async open(parts: ControlParts): Promise<Control> {
    const control = new Control(parts);
    control.#socket = await ControlSocket.open(parts.path, parts.files, (asker) => control.#answer(asker));
    return control;
  }

  /** Ends work at its next step, and resolves when it has ended. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await Promise.all(this.#running);
    await this.#socket.close();
  }

  #answer(asker: Asker): Listener {
    let isStopped = false;
    let isAsked = false;
    const tell = (reply: Reply): void => {
      asker.tell(reply);
    };
    return {
      line: (text) => {
        if (isAsked) {
          isStopped = true;
          return;
        }
        isAsked = true;
        const running = this.#do(text, tell, () => isStopped || this.#isClosing)
          .catch((error: unknown) => {
            const { code, message } = toPlainError(error);
            tell({ reply: 'error', code, message });
          })
          .finally(() => {
            this.#running.delete(running);
            asker.end();
          });
        this.#running.add(running);
      },
      gone: () => {
        isStopped = true;
        if (!isAsked) asker.end();
      },
    };
  }

  async #do(text: string, tell: (reply: Reply) => void, isStopped: () => boolean): Promise<void> {
    const ask = askOf(text);
    const { nowMs, onGone, run, pid, version, status } = this.#parts;
    if (ask.ask === 'facts') return tell(this.#facts());
    if (ask.ask === 'status') return tell({ reply: 'status', pid, version, status: status() });
    let toldMs = 0;
    const counts = await run({
      filter: ask.filter,
      replay: ask.ask === 'purge' ? undefined : { to: this.#indexOf(ask.to), perSecond: ask.perSecond },
      isStopped,
      onGone,
      onProgress: (now) => {
        if (nowMs() < toldMs + progressMs) return;
        toldMs = nowMs();
        tell({ reply: 'progress', ...now });
      },
    });
    tell({ reply: 'done', ...counts });
  }

  #facts(): Facts {
    const { pid, streams, openSegments } = this.#parts;
    return { reply: 'facts', pid, streams, openSegments: openSegments() };
  }

  #indexOf(name: string | undefined): number | undefined {
    if (name === undefined) return undefined;
    const index = this.#parts.streams.indexOf(name);
    if (index >= 0) return index;
    const known = this.#parts.streams.join(', ');
    throw new SpillwayError('usage', `--to ${name}: the daemon has no such stream; it has ${known}`);
  }
}

/** Throws `usage` for what is no question, or has anything wrong in it. */
function askOf(text: string): Exclude<Ask, { ask: 'stop' }> {
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch {
    throw new SpillwayError('usage', 'a question is a JSON object in one line');
  }
  const { ask, filter, to, perSecond } = (typeof given === 'object' ? (given ?? {}) : {}) as Readonly<
    Record<string, unknown>
  >;
  if (ask === 'facts' || ask === 'status') return { ask };
  if (ask !== 'purge' && ask !== 'replay') {
    throw new SpillwayError('usage', 'ask is one of "facts", "status", "purge", "replay"');
  }
  const read = filterOf(filter);
  if ('mistake' in read) throw new SpillwayError('usage', read.mistake);
  if (ask === 'purge') return { ask, filter: read };
  if (to !== undefined && typeof to !== 'string') throw new SpillwayError('usage', 'to is the name of a stream');
  const isPace = perSecond === undefined || (typeof perSecond === 'number' && perSecond > 0);
  if (!isPace) throw new SpillwayError('usage', 'perSecond is a number above 0');
  return {
    ask,
    filter: read,
    ...(to === undefined ? {} : { to }),
    ...(perSecond === undefined ? {} : { perSecond }),
  };
}
