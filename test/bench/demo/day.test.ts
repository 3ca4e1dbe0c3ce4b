import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { xmlMistake } from '../../observe/xml.ts';

const script = fileURLToPath(new URL('../../../bench/demo/demo.js', import.meta.url));

interface Running {
  readonly process: ChildProcess;
  /** What it has printed so far, on stdout and stderr. */
  readonly printed: () => string;
  /** Resolves when `text` has been printed; rejects when all output has ended without it. */
  readonly says: (text: string) => Promise<void>;
  /** The exit code, once every process that shares its output has gone. */
  readonly ended: Promise<number | null>;
}

interface Teardown {
  teardown(end: () => unknown): void;
}

/** Not t.testdir(): the path of a socket may have 107 bytes. */
function temporaryDirectory(t: Teardown): string {
  const directory = mkdtempSync(join(tmpdir(), 'spillway-test-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Runs the demo with its output piped and `temporary` as the place for temporary files. */
function run(t: Teardown, temporary: string, ...switches: string[]): Running {
  const child = spawn(process.execPath, [script, ...switches], { env: { ...process.env, TMPDIR: temporary } });
  let printed = '';
  const pieces = [child.stdout, child.stderr];
  for (const piece of pieces) piece.setEncoding('utf8').on('data', (text: string) => (printed += text));
  const ended = once(child, 'close').then(([code]) => code as number | null);
  // Not SIGKILL: the demo ends what it has started.
  t.teardown(() => {
    child.kill('SIGINT');
    return ended;
  });
  const says = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (printed.includes(text)) resolve();
      };
      look();
      for (const piece of pieces) piece.on('data', look);
      void ended.then(() => reject(new Error(`it never said ${text}:\n${printed}`)));
    });
  return { process: child, printed: () => printed, says, ended };
}

t.test('a short day: the breaker opens, events spill, the backlog drains, and nothing is lost', async (t) => {
  const temporary = temporaryDirectory(t);
  const svg = join(t.testdir(), 'day.svg');
  const demo = run(t, temporary, '--smoke', '--svg', svg);
  const code = await demo.ended;
  const text = demo.printed();
  t.equal(code, 0, text);
  const story = [
    'morning',
    'the sale begins',
    'the endpoint dies',
    'breaker of the stream opens: ECONNREFUSED',
    'the endpoint is there again',
    'breaker of the stream closes',
    'the disk is empty',
    'read back',
  ];
  const places = story.map((sentence) => text.indexOf(sentence));
  t.ok(
    places.every((place, index) => place > (places[index - 1] ?? -1)),
    `in this order: ${story.join('; ')}\n${text}`,
  );
  const drained = Number(/the disk is empty: ([\d,]+) events/.exec(text)?.[1]?.replaceAll(',', ''));
  t.ok(drained > 500, `${drained} events had been spilled`);
  t.match(text, 'received 6,000 = accepted 6,000 + refused 0');
  t.match(text, 'accepted 6,000 = delivered 6,000 + in flight 0 + in the DLQ 0 + dropped 0');
  t.match(text, /^6,\d{3} events: 0 lost, 0 altered, \d+ duplicates$/m);
  t.match(text, /^ingress_to_ack +6,\d{3} /m, 'every event is in the latencies');
  const lines = text.split('\n').filter((line) => !line.startsWith('picture'));
  const columns = Math.max(...lines.map((line) => line.length));
  t.ok(columns <= 120, `${columns} columns`);
  t.notOk(text.includes('\u001b') || text.includes('\r'), 'piped, there are neither colours nor cursor movements');
  t.notMatch(text, 'Warning');
  const picture = readFileSync(svg, 'utf8');
  t.equal(xmlMistake(picture), undefined);
  for (const label of ['endpoint gone', 'breaker open', 'of these on disk']) t.match(picture, label);
  t.strictSame(readdirSync(temporary), [], 'nothing is left behind');
});

t.test('Ctrl-C in the middle of the outage ends every process and leaves nothing behind', async (t) => {
  const temporary = temporaryDirectory(t);
  const demo = run(t, temporary, '--smoke');
  await demo.says('breaker of the stream opens');
  demo.process.kill('SIGINT');
  demo.process.kill('SIGINT');
  t.equal(await demo.ended, 130);
  t.match(demo.printed(), /interrupted; everything is stopped\n$/);
  t.strictSame(readdirSync(temporary), []);
});

t.test('a number of events that makes no day is refused before anything is started', async (t) => {
  for (const wrong of ['999', '5000001', '1.5', 'many']) {
    const demo = run(t, tmpdir(), '--events', wrong);
    t.not(await demo.ended, 0);
    t.match(demo.printed(), /--events .*a whole number from 1,000 to 5,000,000/s);
  }
});
