import t from 'tap';
import { isOtherKind, readLatencyLine } from '../../src/observe/latency-line.ts';
import { LineCutter } from '../../src/observe/lines.ts';
import { createLog } from '../../src/observe/log.ts';
import { random } from './latency-log.ts';

/** The lines of `bytes` in blocks of random length, and what is left at the end; each block is overwritten after its push. */
function cut(bytes: Buffer, lengthMax: number, next: () => number): { lines: string[]; rest: string } {
  const lines: string[] = [];
  const cutter = new LineCutter(lengthMax, (block, start, end) => lines.push(block.toString('utf8', start, end)));
  for (let from = 0; from < bytes.length; ) {
    const block = Buffer.from(bytes.subarray(from, from + 1 + Math.floor(next() * 9)));
    cutter.push(block);
    from += block.length;
    block.fill(0x78);
  }
  return { lines, rest: cutter.rest().toString() };
}

t.test(
  'lines are the same wherever blocks end: CR LF, empty and long lines, holes, a last line without a break',
  async (t) => {
    const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
    t.comment(`SEED=${seed}`);
    const next = random(seed);
    for (let round = 0; round < 500; round++) {
      const wanted = Array.from({ length: Math.floor(next() * 6) }, () => 'ü'.repeat(Math.floor(next() * 8)));
      const rest = 'r'.repeat(Math.floor(next() * 30));
      const hole = () => '\0'.repeat(next() < 0.3 ? Math.floor(next() * 20) : 0);
      const breaks = () => (next() < 0.3 ? '\r\n' : '\n');
      const text = wanted.map((line) => hole() + line + breaks()).join('') + hole() + rest;
      const lines = wanted.map((line) => Buffer.from(line).toString('utf8', 0, 12));
      const found = cut(Buffer.from(text), 12, next);
      if (JSON.stringify(found) !== JSON.stringify({ lines, rest: rest.slice(0, 12) })) {
        t.same(found, { lines, rest: rest.slice(0, 12) }, JSON.stringify(text));
      }
    }
    t.pass();
  },
);

t.test('what is told by its first bytes to be of another kind is that by its text, too', async (t) => {
  const lines: string[] = [];
  const log = createLog({
    level: 'debug',
    nowMs: () => 1_795_802_400_000,
    write: (line) => lines.push(line.trimEnd()),
  });
  const fields = { breaker: 'lane', lane: 1, from: 'closed', to: 'open', cause: '"kind":"latency"' } as const;
  for (const level of ['debug', 'info', 'warn', 'error', 'fatal'] as const) log[level]('breaker', 'breaker', fields);
  t.equal(lines.length, 5);
  const isOther = (line: string): boolean => {
    const block = Buffer.from(`xx${line}\nyy`);
    return isOtherKind(block, 2, block.length - 3);
  };
  for (const line of lines) {
    t.equal(isOther(line), true, line);
    t.equal(readLatencyLine(line), 'other');
  }
  const first = lines[0] as string;
  const latency = first.replace('"breaker","breaker"', '"latency","breaker"');
  for (const unsure of [
    latency,
    `${first.slice(0, 90)}${latency}`,
    `Nov 27 host spillway: ${first}`,
    '{"level":"info"',
    '',
  ]) {
    t.equal(isOther(unsure), false, unsure);
  }
});
