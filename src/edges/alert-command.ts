/**
 * Runs an operator's command with a document on its stdin. Main thread; one object per configured command, one run at a time.
 *
 * No shell reads the words. The command is a process group of its own, which is killed as a whole when it takes too long, writes too
 * much, or nobody waits for it any more. Of what it writes the beginning is kept for the message of a failure.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { SpillwayError } from '../base/errors.ts';

/** What it may write; beyond, it is killed. */
export const commandOutputBytesMax = 64 * 1024;
/** What of it a failure quotes. */
const quotedBytes = 500;

/** Of the daemon's environment: what programs need to be found and to speak. Credentials and options stay here. */
const handedOn = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'USER', 'LOGNAME'];

export class AlertCommand {
  readonly #command: readonly [string, ...string[]];
  readonly #timeoutMs: number;
  #end: ((cause: string) => void) | undefined;

  constructor(command: readonly [string, ...string[]], timeoutMs: number) {
    this.#command = command;
    this.#timeoutMs = timeoutMs;
  }

  /** Resolves when it ended with 0; rejects with `alert_command` otherwise. */
  run(stdin: string): Promise<void> {
    const [program, ...words] = this.#command;
    return new Promise((resolve, reject) => {
      const fail = (how: string, output = ''): void => {
        const said = output.trim() === '' ? '' : `: ${output.trim()}`;
        const message = `the command of [notify], ${program}, ${how}${said}`;
        reject(new SpillwayError('alert_command', message, { retryable: true }));
      };
      let child: ChildProcess;
      try {
        child = spawn(program, words, { detached: true, stdio: 'pipe', env: environment(), cwd: '/' });
      } catch (error) {
        return fail(`cannot be started (${codeOf(error)})`);
      }
      const output = new Output(child, () => finish(`wrote more than ${commandOutputBytesMax} bytes`));
      let isOver = false;
      const finish = (how: string | undefined): void => {
        // The end of one that was killed is heard of when the next may have begun.
        if (isOver) return;
        isOver = true;
        this.#end = undefined;
        clearTimeout(timer);
        killGroup(child);
        // What it started may have left its group, and hold its pipes.
        for (const stream of [child.stdin, child.stdout, child.stderr]) stream?.destroy();
        if (how === undefined) resolve();
        else fail(how, output.text);
      };
      this.#end = finish;
      const timer = setTimeout(
        () => finish(`did not end within ${this.#timeoutMs} ms and was killed`),
        this.#timeoutMs,
      );
      child.once('error', (error) => finish(`cannot be started (${codeOf(error)})`));
      child.once('exit', (code, signal) =>
        finish(code === 0 ? undefined : `ended with ${code === null ? signal : code}`),
      );
      // It may end without reading.
      child.stdin?.on('error', () => {});
      child.stdin?.end(stdin);
    });
  }

  /** Ends what runs. */
  close(): void {
    this.#end?.('was ended with the daemon');
  }
}

class Output {
  text = '';
  #bytes = 0;

  constructor({ stdout, stderr }: ChildProcess, onTooMuch: () => void) {
    for (const stream of [stdout, stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.#bytes += chunk.length;
        if (this.text.length < quotedBytes) this.text = (this.text + chunk.toString('utf8')).slice(0, quotedBytes);
        if (this.#bytes > commandOutputBytesMax) onTooMuch();
      });
      stream?.on('error', () => {});
    }
  }
}

/** A child that has ended may have left others behind; once all are gone there is nothing to kill. */
function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // The group is gone.
  }
}

function environment(): Record<string, string> {
  return Object.fromEntries(
    handedOn.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}
