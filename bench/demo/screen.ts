/**
 * How the demo writes to the terminal: lines that stay, and on a terminal one line at the bottom that lives. Piped, there are no
 * cursor movements and no colours, and the living line is printed once a second instead.
 */
import { styleText } from 'node:util';

type Style = Parameters<typeof styleText>[0];

export interface Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
  hasColors?(): boolean;
  write(text: string): unknown;
}

/** How often the living line is printed where it cannot be overwritten. */
const pipedMs = 1_000;
const columnsDefault = 100;
const columnsMax = 120;
const clearLine = '\r\x1b[2K';

export class Screen {
  readonly #terminal: Terminal;
  readonly #colored: boolean;
  #live = '';
  #pipedDueMs = 0;
  #closed = false;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
    this.#colored = terminal.isTTY === true && terminal.hasColors?.() === true;
  }

  get columns(): number {
    return Math.min(this.#terminal.columns ?? columnsDefault, columnsMax);
  }

  style(style: Style, text: string): string {
    return this.#colored ? styleText(style, text, { validateStream: false }) : text;
  }

  /** Lines that stay. */
  print(text = ''): void {
    if (this.#closed) return;
    const onTerminal = this.#terminal.isTTY === true;
    this.#terminal.write(`${onTerminal && this.#live !== '' ? clearLine : ''}${text}\n`);
    if (onTerminal) this.#terminal.write(this.#live);
  }

  /** `ms`: when, since the demo's start. `head` in a column of its own. */
  event(ms: number, head: string, text: string, style: Style = 'reset'): void {
    this.print(`${seconds(ms)}  ${this.style(style, head.padEnd(9))} ${text}`);
  }

  /** The living line: how things stand at `ms`. */
  live(ms: number, text: string): void {
    if (this.#closed) return;
    const line = `${seconds(ms)}  ${text}`;
    if (this.#terminal.isTTY === true) {
      this.#live = this.style('dim', line.slice(0, (this.#terminal.columns ?? columnsDefault) - 1));
      this.#terminal.write(`${clearLine}${this.#live}`);
    } else if (ms >= this.#pipedDueMs) {
      this.#pipedDueMs = Math.floor(ms / pipedMs + 1) * pipedMs;
      this.#terminal.write(`${line}\n`);
    }
  }

  /** Takes the living line away. */
  still(): void {
    if (this.#live !== '') this.#terminal.write(clearLine);
    this.#live = '';
  }

  /** Nothing is written any more. */
  close(): void {
    this.still();
    this.#closed = true;
  }
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1).padStart(6)} s`;
}

export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
