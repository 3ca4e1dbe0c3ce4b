/**
 * The terminal of `spillway top`: a screen of its own where that is a terminal, lines one after the other where it is a pipe or a dumb
 * one. Main thread of a command; whatever ends the command, {@link TopScreen.close} gives the terminal back as it was.
 */
import { styleText } from 'node:util';
import type { FrameSize, Line, Tone } from './top-frame.ts';

const styles: Readonly<Record<Tone, Parameters<typeof styleText>[0]>> = {
  bad: ['red', 'bold'],
  warning: 'yellow',
  good: 'green',
  head: 'bold',
  faint: 'cyan',
};

/** Of terminals that do not say, or say 0. */
const columnsDefault = 80;
const rowsDefault = 24;
/** Narrower ones get lines that are cut. */
const columnsLeast = 20;

const enter = '\x1b[?1049h\x1b[?25l';
const leave = '\x1b[?25h\x1b[?1049l';
const home = '\x1b[H';
const restOfLine = '\x1b[K';
const restOfScreen = '\x1b[J';

/** Keys that end the command: q, Ctrl-C, Ctrl-D. */
const endKeys = ['q', 'Q', '\x03', '\x04'];

export interface ScreenEvents {
  /** The user wants to leave. */
  readonly onEnd: () => void;
  /** The terminal has another size. */
  readonly onResize: () => void;
}

export class TopScreen {
  readonly #out: NodeJS.WriteStream;
  readonly #isLive: boolean;
  readonly #hasColors: boolean;
  readonly #isAscii: boolean;
  #isOpen = false;
  readonly #events: ScreenEvents;
  readonly #onKey = (key: Buffer): void => {
    if (endKeys.includes(key.toString('latin1'))) this.#events.onEnd();
  };

  /** `isLive`: a terminal is wanted as a screen; one that is dumb, or no terminal, gets lines all the same. */
  constructor(out: NodeJS.WriteStream, environment: NodeJS.ProcessEnv, isLive: boolean, events: ScreenEvents) {
    const { TERM, LC_ALL, LC_CTYPE, LANG } = environment;
    const isDumb = TERM === undefined || TERM === '' || TERM === 'dumb';
    this.#out = out;
    this.#events = events;
    this.#isLive = isLive && out.isTTY && !isDumb;
    this.#hasColors = out.isTTY && !isDumb && out.hasColors(environment as Record<string, string>);
    this.#isAscii = !/utf-?8/i.test(LC_ALL || LC_CTYPE || LANG || '');
  }

  get isLive(): boolean {
    return this.#isLive;
  }

  /** Where lines only follow one another, a frame may have as many as it wants. */
  get size(): FrameSize {
    const columns = Math.max(columnsLeast, this.#out.columns || columnsDefault);
    return {
      columns,
      rows: this.#isLive ? this.#out.rows || rowsDefault : Number.POSITIVE_INFINITY,
      isAscii: this.#isAscii,
    };
  }

  open(): void {
    if (!this.#isLive || this.#isOpen) return;
    this.#isOpen = true;
    this.#out.write(enter);
    this.#out.on('resize', this.#events.onResize);
    const { stdin } = process;
    if (!stdin.isTTY) return;
    stdin.setRawMode(true);
    stdin.on('data', this.#onKey);
    stdin.resume();
  }

  show(lines: readonly Line[]): void {
    const { columns } = this.size;
    const text = lines.map((line) => this.#text(line, columns));
    if (this.#isLive) this.#out.write(`${home}${text.map((line) => line + restOfLine).join('\r\n')}${restOfScreen}`);
    else this.#out.write(`${text.map((line) => line.trimEnd()).join('\n')}\n`);
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#out.off('resize', this.#events.onResize);
    const { stdin } = process;
    if (stdin.isTTY) {
      stdin.off('data', this.#onKey);
      stdin.setRawMode(false);
      stdin.pause();
    }
    this.#out.write(leave);
  }

  /** Cut at the terminal's edge: a line that wraps would push the others down. */
  #text(line: Line, columns: number): string {
    let left = columns;
    let text = '';
    for (const piece of line) {
      const whole = typeof piece === 'string' ? piece : piece.text;
      const cut = whole.slice(0, left);
      left -= cut.length;
      const isToned = typeof piece !== 'string' && this.#hasColors;
      text += isToned ? styleText(styles[piece.tone], cut, { validateStream: false }) : cut;
    }
    return text;
  }
}
