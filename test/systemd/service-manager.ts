/**
 * A service manager as far as a daemon sees one: a unix datagram socket that takes its notices, with the process that the kernel says
 * they come from. Python receives them, which Node cannot. Used by the tests of this folder; ended by the test's teardown.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export interface Notice {
  /** `NAME=value` lines, by name. */
  readonly lines: ReadonlyMap<string, string>;
  readonly pid: number;
  /** When it came, by this process' monotonic clock. */
  readonly atMs: number;
}

const receiver = `
import json, select, socket, struct, sys
place = sys.argv[1]
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind('\\0' + place[1:] if place[0] == '@' else place)
receiver.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
print('bound', flush=True)
# The end of its input is the end of who started it, whatever that was.
while sys.stdin not in select.select([receiver, sys.stdin], [], [])[0]:
    text, ancillary, _, _ = receiver.recvmsg(65536, socket.CMSG_SPACE(12))
    print(json.dumps({'text': text.decode(), 'pid': struct.unpack('3i', ancillary[0][2])[0]}), flush=True)
`;

/** Why the tests that need it are skipped; false: they are not. */
export const noReceiver =
  spawnSync('python3', ['-c', ''], { stdio: 'ignore' }).status === 0 ? false : 'python3 is not installed';

export class ServiceManagerDouble {
  readonly notices: Notice[] = [];
  readonly #child: ChildProcess;
  #waiting: (() => void)[] = [];

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** `address`: a path, or "@name". */
  static async start(t: { teardown(end: () => unknown): void }, address: string): Promise<ServiceManagerDouble> {
    const child = spawn('python3', ['-c', receiver, address], { stdio: ['pipe', 'pipe', 'inherit'] });
    t.teardown(() => child.kill('SIGKILL'));
    const manager = new ServiceManagerDouble(child);
    const lines = createInterface({ input: child.stdout });
    await once(lines, 'line');
    lines.on('line', (line) => manager.#take(JSON.parse(line) as { text: string; pid: number }));
    return manager;
  }

  /** Resolves with the first notice, past or to come, from index `from` on, that has `name=value`; without a value: any. */
  async notice(name: string, value?: string, from = 0): Promise<Notice> {
    for (;;) {
      const found = this.notices
        .slice(from)
        .find(({ lines }) => (value === undefined ? lines.has(name) : lines.get(name) === value));
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** Resolves when no notice of this name has come for `quietMs`; gives the time of the last one. */
  async silence(name: string, quietMs: number): Promise<number> {
    for (;;) {
      const last = this.notices.filter(({ lines }) => lines.has(name)).at(-1)?.atMs ?? performance.now();
      const leftMs = last + quietMs - performance.now();
      if (leftMs <= 0) return last;
      await new Promise((resolve) => setTimeout(resolve, leftMs));
    }
  }

  /** The daemon's queue is no longer read from. */
  stall(): void {
    this.#child.kill('SIGSTOP');
  }

  resume(): void {
    this.#child.kill('SIGCONT');
  }

  #take({ text, pid }: { readonly text: string; readonly pid: number }): void {
    const pairs = text.split('\n').map((line): [string, string] => {
      const end = line.indexOf('=');
      return [line.slice(0, end), line.slice(end + 1)];
    });
    this.notices.push({ lines: new Map(pairs), pid, atMs: performance.now() });
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}
