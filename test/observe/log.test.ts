import t from 'tap';
import { SpillwayError } from '../../src/base/errors.ts';
import { Flood, otherKeys } from '../../src/observe/flood.ts';
import { createLog, floodLinesMax, floodWindowMs, logTextMax } from '../../src/observe/log.ts';
import { checkLogLine, logTableMarkdown } from '../../src/observe/log-check.ts';
import { commonFields, type LogField, logKindTable } from '../../src/observe/log-schema.ts';
import { logHostile } from './hostile-lines.ts';

const startMs = Date.UTC(2026, 10, 27, 18);

function capture(level: 'info' | 'debug' = 'info') {
  const lines: string[] = [];
  const clock = { nowMs: startMs };
  const log = createLog({ level, nowMs: () => clock.nowMs, write: (line) => lines.push(line) });
  const parsed = () => lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  return { log, lines, clock, parsed };
}

/** A value that fits `field`. */
function sample(field: LogField): unknown {
  switch (field.type) {
    case 'string':
      return field.values?.at(-1) ?? 'text';
    case 'number':
      return 1.5;
    case 'boolean':
      return true;
    case 'strings':
      return ['a', 'b'];
    case 'numbers':
      return [1.5, 2];
    case 'emf':
      return { Timestamp: 1, CloudWatchMetrics: [] };
    case 'lane':
      return 3;
    case 'facts':
      return { limit: 5, name: 'x', open: false };
    default:
      return field.type satisfies never;
  }
}

t.test('a line has time, level as a word, kind, its fields, and the message', async (t) => {
  const { log, lines } = capture();
  log.warn('worker', 'lane 2 was lost', { lane: 2, state: 'lost', cause: 'exit 1' });
  log.debug('worker', 'not printed at level info', { lane: 2, state: 'started' });
  t.same(lines, [
    '{"level":"warn","time":"2026-11-27T18:00:00.000Z","kind":"worker","lane":2,"state":"lost","cause":"exit 1",' +
      '"msg":"lane 2 was lost"}\n',
  ]);
});

t.test('the check accepts every kind with all its fields, and without the optional ones', async (t) => {
  const { log, lines, clock } = capture();
  for (const [kind, row] of Object.entries(logKindTable)) {
    for (const optional of [true, false]) {
      const names = Object.entries(row.fields).filter(([, field]) => optional || field.optional !== true);
      const fields = Object.fromEntries(names.map(([name, field]) => [name, sample(field)]));
      clock.nowMs += floodWindowMs;
      log.info(kind as 'error', 'hello', fields as never);
      t.same(checkLogLine(JSON.parse(lines.at(-1) as string)), [], lines.at(-1) as string);
    }
  }
  t.equal(lines.length, 2 * Object.keys(logKindTable).length);
});

t.test('the check rejects unknown kinds and fields, missing fields, and wrong values', async (t) => {
  const line = { time: '2026-11-27T18:00:00.000Z', level: 'info', kind: 'worker', msg: '', lane: 0, state: 'started' };
  t.same(checkLogLine(line), []);
  const mistakes = (change: object) => checkLogLine({ ...line, ...change });
  t.same(mistakes({ payload: 'secret' }), ['payload: unknown in a worker line']);
  t.same(mistakes({ kind: 'gossip' }), ['kind: "gossip" is unknown']);
  t.same(mistakes({ kind: 'constructor' }), ['kind: "constructor" is unknown']);
  t.same(mistakes({ state: undefined }), ['state: missing from a worker line']);
  t.same(mistakes({ state: 'tired' }), ['state: "tired" is not "started", "lost", "replaced"']);
  t.same(mistakes({ lane: -1 }), ['lane: -1 is not number or "main"']);
  t.same(mistakes({ tookMs: '5' }), ['tookMs: "5" is not number']);
  t.same(mistakes({ time: 1_795_000_000_000 }), ['time: not ISO 8601 in UTC with milliseconds']);
  t.same(mistakes({ level: 30 }).length, 1);
  t.same(mistakes({ msg: undefined }), ['msg: not a string']);
  t.same(checkLogLine([]), ['the line is not a JSON object']);
});

t.test('no kind has a field that the common ones would overwrite', async (t) => {
  for (const [kind, row] of Object.entries(logKindTable)) {
    for (const name of commonFields) t.notOk(Object.hasOwn(row.fields, name), `${kind}.${name}`);
  }
});

t.test('the table of TELEMETRY.md names every kind and field once, in a table of four columns', async (t) => {
  const rows = logTableMarkdown().trimEnd().split('\n');
  const fields = Object.values(logKindTable).reduce((sum, row) => sum + Object.keys(row.fields).length, 0);
  t.equal(rows.length, 2 + Object.keys(logKindTable).length + fields);
  for (const row of rows) t.equal(row.replaceAll('\\|', '').split('|').length, 6, row);
});

t.test('one fact is one line of plain text, whatever its strings hold', async (t) => {
  const seed = 5;
  t.comment(`seed ${seed}`);
  t.match(logHostile(8_000, seed), { strings: 8_000, lines: 2_000, wrong: [] });
});

t.test('long strings and wide facts are cut, histograms are not', async (t) => {
  const { log, lines, parsed } = capture();
  const long = 'x'.repeat(logTextMax * 100);
  const details = Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`fact${index}`, index]));
  log.error('error', long, { code: long, retryable: false, details });
  t.ok((lines[0] as string).length < 3 * logTextMax, `${lines[0]?.length}`);
  t.match(parsed()[0], { code: /^x{2048}\.\.\. \(202752 more\)$/ });
  const where = { lane: 0, histogram: 'put', windowStartMs: 0, windowMs: 1, count: 1 } as const;
  const times = { p50Us: 1, p90Us: 1, p99Us: 1, p999Us: 1, maxUs: 1, meanUs: 1 };
  log.info('latency', 'latency', { ...where, ...times, hdr: long });
  t.equal(parsed()[1]?.['hdr'], long);
});

t.test('anything thrown becomes one error line', async (t) => {
  const { log, parsed } = capture();
  const fields = { bytes: 5, level: 'no clash' };
  log.failure(new SpillwayError('dlq_full', 'dlq.max_bytes: reached', { retryable: true, fields }), {
    stream: 'orders',
  });
  log.failure(new TypeError('broken'));
  log.failure('a string');
  for (const line of parsed()) t.same(checkLogLine(line), []);
  t.match(parsed(), [
    { level: 'error', kind: 'error', code: 'dlq_full', retryable: true, stream: 'orders', details: fields },
    { code: 'TypeError', msg: 'broken' },
    { code: 'unknown', msg: 'a string' },
  ]);
});

t.test('flood control prints the first lines of a window and counts the others exactly', async (t) => {
  const { log, parsed, clock } = capture();
  for (let index = 0; index < 1_000; index++) {
    log.warn('worker', `lane ${index % 2}`, { lane: index % 2, state: 'lost' });
    clock.nowMs += 1;
  }
  t.equal(parsed().length, 2 * floodLinesMax, 'lanes are counted apart');
  clock.nowMs = startMs + floodWindowMs - 1;
  log.tick();
  t.equal(parsed().length, 2 * floodLinesMax, 'nothing is reported before the window is over');
  clock.nowMs += 2;
  log.tick();
  const reports = parsed().slice(2 * floodLinesMax);
  t.match(reports, [
    {
      kind: 'flood',
      level: 'warn',
      key: 'worker warn lane=0 state=lost',
      suppressed: 500 - floodLinesMax,
      windowMs: floodWindowMs,
    },
    { kind: 'flood', key: 'worker warn lane=1 state=lost', suppressed: 500 - floodLinesMax },
  ]);
  for (const report of reports) t.same(checkLogLine(report), []);
  log.warn('worker', 'again', { lane: 0, state: 'lost' });
  log.tick();
  t.equal(parsed().length, 2 * floodLinesMax + 3, 'a new window prints again, and a report comes once');
});

t.test('closing reports what is still held back; interval lines are never held back', async (t) => {
  const { log, parsed } = capture();
  for (let index = 0; index < 50; index++) {
    log.info('backlog', 'backlog', { events: index, bytes: 0, oldestMs: 0 });
    log.info('dlq', 'spilling', { event: 'spilling' });
  }
  t.equal(await log.close(1_000), 0);
  t.equal(parsed().filter((line) => line['kind'] === 'backlog').length, 50);
  t.match(parsed().at(-1), { kind: 'flood', key: 'dlq info event=spilling', suppressed: 50 - floodLinesMax });
});

t.test('keys beyond the limit share one count, and a clock that steps back ends a window', async (t) => {
  const flood = new Flood({ linesMax: 1, windowMs: 100, keysMax: 2 });
  t.equal(flood.admit('a', 0), true);
  t.equal(flood.admit('b', 10), true);
  t.equal(flood.admit('c', 20), true);
  t.equal(flood.admit('d', 20), false, 'counted together with c');
  t.equal(flood.admit('a', 30), false);
  t.same(flood.closeWindows(99), []);
  t.same(flood.closeWindows(100), [{ key: 'a', suppressed: 1, windowMs: 100 }]);
  t.same(flood.closeWindows(-1_000), [{ key: otherKeys, suppressed: 1, windowMs: 100 }]);
  t.equal(flood.admit('d', -1_000), true);
});
