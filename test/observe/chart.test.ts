import t from 'tap';
import { terminalChart } from '../../src/observe/chart.ts';

const chart = {
  title: 'Backlog',
  format: (value: number) => `${Math.round(value)} ev`,
  width: 60,
  height: 12,
  from: '0 s',
  to: '90 s',
};

t.test('a chart has a title, labels with units, both ends of its time, and fits its size', async (t) => {
  const values = Array.from({ length: 1_000 }, (_, index) => (index > 400 && index < 500 ? 5_000 : 10));
  for (const [width, height] of [
    [60, 12],
    [24, 6],
    [200, 50],
  ] as const) {
    const lines = terminalChart({ ...chart, width, height, values }).split('\n');
    t.ok(lines.length <= height, `${lines.length} rows`);
    for (const line of lines) t.ok(line.length <= width, line);
    t.equal(lines[0], 'Backlog');
    t.match(lines[2], '5000 ev');
    t.match(lines.at(-2), /\b0 ev/);
    t.match(lines.at(-1), /^ +0 s +90 s$/);
  }
});

t.test('a peak of one value among many stays visible', async (t) => {
  const values = Array.from({ length: 10_000 }, (_, index) => (index === 7_001 ? 100 : 0));
  const lines = terminalChart({ ...chart, values }).split('\n');
  t.match(lines[2], '100 ev');
  t.match(lines[2]?.replace(/^.*100 ev/, ''), /[╭╮]/);
});

t.test('no values, all zero, one value, and huge values give a chart', async (t) => {
  t.equal(terminalChart({ ...chart, values: [] }), 'Backlog\n(no values)');
  for (const values of [[0, 0, 0], [5], [1e15, 2e15]]) {
    const lines = terminalChart({ ...chart, values }).split('\n');
    t.equal(lines.length, 12);
    t.match(lines.at(-2), /\b0 ev/);
  }
});

t.test('fewer values than columns are stretched over the whole width', async (t) => {
  const lines = terminalChart({ ...chart, values: [1, 0] }).split('\n');
  t.equal((lines.find((line) => line.includes('╮')) ?? '').length > 25, true);
  t.ok(lines.at(-2)?.length === 60);
});
