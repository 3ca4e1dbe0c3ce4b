import t from 'tap';
import { escapeXml, lineChartSvg, lineChartsSvg } from '../../src/observe/svg.ts';
import { linearAxis, logAxis } from '../../src/observe/svg-axis.ts';
import { xmlMistake } from './xml.ts';

const hostile = '</text><script>alert("1")</script> & \'x\' \0\x1b[31m \ud800 ]]> ü 😀';

t.test('a chart is well-formed XML, and hostile labels stay text', async (t) => {
  const svg = lineChartSvg({
    title: hostile,
    xLabel: hostile,
    yLabel: hostile,
    series: [
      {
        name: hostile,
        points: [
          [0, 1],
          [1, 5],
          [2, Number.NaN],
          [3, 2],
        ],
      },
    ],
    bands: [{ from: 1, to: 2, label: hostile }],
  });
  t.equal(xmlMistake(svg), undefined);
  t.notMatch(svg, '<script');
  t.match(svg, '&#60;/text&#62;&#60;script&#62;');
  t.match(svg, '&#38; &#39;x&#39; \ufffd\ufffd[31m \ufffd ');
  t.match(svg, 'ü 😀');
});

t.test('the check of XML that these tests rely on finds mistakes', async (t) => {
  t.equal(xmlMistake('<?xml version="1.0"?><a b="1"><c/>x &#38; y</a>'), undefined);
  for (const bad of [
    '<a>',
    '<a></b>',
    '<a b=1></a>',
    '<a>&</a>',
    '<a>x < y</a>',
    '<a/><b/>',
    '<a>\x1b</a>',
    'x<a/>',
    '',
  ]) {
    t.type(xmlMistake(bad), 'string', bad);
  }
});

t.test('a value that is not finite breaks the line, and a lone point becomes a dot', async (t) => {
  const svg = lineChartSvg({
    title: 't',
    xLabel: 'x',
    yLabel: 'y',
    series: [
      {
        name: 's',
        points: [
          [0, 1],
          [1, 1],
          [2, Number.NaN],
          [3, 1],
          [4, 1],
          [5, Number.NaN],
          [6, 1],
        ],
      },
    ],
  });
  const path = /<path d="(M[^"]*)" fill="none" stroke="#0072b2"/.exec(svg)?.[1] ?? '';
  t.equal(path.split('M').length - 1, 3, path);
  t.equal(svg.split('<circle').length - 1, 1);
  t.notMatch(svg, 'NaN');
});

t.test('charts without values, with one value, or with equal values can be drawn', async (t) => {
  for (const points of [
    [],
    [[5, 7]],
    [
      [5, 0],
      [5, 0],
    ],
    [
      [0, 1e-9],
      [1e12, 1e12],
    ],
  ] as [number, number][][]) {
    const svg = lineChartsSvg([{ title: 't', xLabel: 'x', yLabel: 'y', series: [{ name: 's', points }] }]);
    t.equal(xmlMistake(svg), undefined);
    t.notMatch(svg, /NaN|Infinity/);
  }
});

t.test('more points than a call may have arguments can be drawn', async (t) => {
  const points = Array.from({ length: 300_000 }, (_, index) => [index, index % 7] as const);
  t.equal(
    xmlMistake(lineChartSvg({ title: 't', xLabel: 'x', yLabel: 'y', series: [{ name: 's', points }] })),
    undefined,
  );
});

t.test('axes are marked at round values and cover what is drawn', async (t) => {
  const labels = (axis: { ticks: readonly { label: string }[] }) => axis.ticks.map((tick) => tick.label);
  t.same(labels(linearAxis(0, 60)), ['0', '10', '20', '30', '40', '50', '60']);
  t.same(labels(linearAxis(0, 1_234_567)), ['0', '500,000', '1,000,000', '1,500,000']);
  t.same(labels(linearAxis(0, 0.3)), ['0', '0.05', '0.1', '0.15', '0.2', '0.25', '0.3']);
  t.same(labels(logAxis(3, 25_000, String)), ['1', '10', '100', '1000', '10000', '100000']);
  t.equal(linearAxis(0, 60).place(15), 0.25);
  t.equal(logAxis(1, 100, String).place(10), 0.5);
  t.equal(logAxis(1, 100, String).place(0), 0);
});

t.test('text that XML cannot hold is replaced', async (t) => {
  t.equal(escapeXml('a<b>&"\'\u0001\ufffe\udfff😀\n'), 'a&#60;b&#62;&#38;&#34;&#39;\ufffd\ufffd\ufffd😀\n');
});
