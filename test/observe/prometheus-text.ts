/**
 * Reads the Prometheus text format 0.0.4, strictly: whatever a scraper could stumble over throws, with its line. For tests; it
 * shares nothing with the writer.
 */

export interface Sample {
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly value: number;
}

export interface Family {
  readonly type: string;
  readonly help: string;
  readonly samples: Sample[];
}

const metricName = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const number = /^(NaN|[+-]Inf|[+-]?\d+(\.\d+)?([eE][+-]?\d+)?)$/;

/** All families of a page, by name. */
export function readPrometheusText(text: string): Map<string, Family> {
  const families = new Map<string, Family>();
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  const seen = new Set<string>();
  let current = '';
  let help: { name: string; text: string } | undefined;
  for (const [index, line] of text.slice(0, -1).split('\n').entries()) {
    const fail = (what: string): never => {
      throw new Error(`line ${index + 1}: ${what}: ${line}`);
    };
    const comment = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line);
    if (comment?.[1] === 'HELP') {
      help = { name: comment[2] as string, text: comment[3] as string };
    } else if (comment?.[1] === 'TYPE') {
      const [, , name = '', type = ''] = comment;
      if (!metricName.test(name) || !/^(counter|gauge|histogram)$/.test(type)) fail('no type');
      if (help?.name !== name) fail('no help before it');
      if (families.has(name)) fail('a second time');
      families.set(name, { type, help: help?.text ?? '', samples: [] });
      current = name;
    } else {
      const sample = readSample(line) ?? fail('neither comment nor sample');
      const family = families.get(current);
      const { type = '' } = family ?? {};
      const names = type === 'histogram' ? ['_bucket', '_sum', '_count'].map((end) => current + end) : [current];
      if (!names.includes(sample.name)) fail(`it does not belong to ${current}`);
      const labels = [...sample.labels].map(([label, value]) => JSON.stringify([label, value]));
      const series = `${sample.name} ${labels.toSorted().join()}`;
      if (seen.has(series)) fail('a second time');
      seen.add(series);
      if (type === 'counter' && !(sample.value >= 0)) fail('a counter below 0');
      family?.samples.push(sample);
    }
  }
  for (const [name, family] of families) {
    if (family.samples.length === 0) throw new Error(`${name} has no samples`);
    if ((family.type === 'counter') !== name.endsWith('_total')) throw new Error(`${name}: a counter ends in _total`);
    if (family.type === 'histogram') checkHistogram(name, family.samples);
  }
  return families;
}

function readSample(line: string): Sample | undefined {
  const match = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
  const [, name = '', inside, value = ''] = match ?? [];
  if (match === null || !number.test(value) || inside === '') return undefined;
  const labels = new Map<string, string>();
  let rest = inside ?? '';
  while (rest !== '') {
    const label = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\["\\n])*)"(,(?=.)|$)/u.exec(rest);
    if (label === null || labels.has(label[1] as string)) return undefined;
    labels.set(
      label[1] as string,
      (label[2] as string).replaceAll(/\\(.)/g, (_, c) => (c === 'n' ? '\n' : c)),
    );
    rest = rest.slice(label[0].length);
  }
  return { name, labels, value: Number(value.replace('Inf', 'Infinity')) };
}

/** The samples of one set of labels each: buckets that grow up to +Inf, then the sum, then as many as the last bucket has. */
function checkHistogram(name: string, samples: readonly Sample[]): void {
  let before = { bound: Number.NEGATIVE_INFINITY, count: 0, labels: '' };
  for (const sample of samples) {
    const others = [...sample.labels].filter(([label]) => label !== 'le').join();
    if (sample.name.endsWith('_bucket')) {
      const bound = Number(sample.labels.get('le')?.replace('Inf', 'Infinity'));
      if (!(bound > before.bound) || sample.value < before.count) throw new Error(`${name}{${others}}: le ${bound}`);
      if (before.labels !== others && before.bound > Number.NEGATIVE_INFINITY) throw new Error(`${name}: mixed`);
      before = { bound, count: sample.value, labels: others };
    } else {
      if (before.bound !== Number.POSITIVE_INFINITY || before.labels !== others) throw new Error(`${name}: no +Inf`);
      if (!sample.name.endsWith('_count')) continue;
      if (sample.value !== before.count) throw new Error(`${name}{${others}}: ${sample.value} is not its +Inf`);
      before = { bound: Number.NEGATIVE_INFINITY, count: 0, labels: '' };
    }
  }
  if (before.labels !== '' || before.bound > Number.NEGATIVE_INFINITY) throw new Error(`${name} has no end`);
}

/** The value of the one sample of `name` with these labels, and perhaps others; undefined: there is none. */
export function valueOf(
  families: ReadonlyMap<string, Family>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined {
  const family = families.get(name) ?? families.get(name.replace(/_(bucket|sum|count)$/, ''));
  const found = family?.samples.filter(
    (sample) =>
      sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels.get(label) === value),
  );
  if (found !== undefined && found.length > 1) throw new Error(`${name}: ${found.length} samples fit`);
  return found?.[0]?.value;
}
