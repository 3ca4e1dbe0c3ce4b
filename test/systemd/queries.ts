/**
 * Checks a PromQL query against the table of metrics: names, labels, and whether a function fits the type. For the test of what is
 * shipped for monitoring; it reads no PromQL beyond that, which is promtool's business.
 */
import { metricTable } from '../../src/observe/metric-schema.ts';

/** Labels that Prometheus itself adds. */
const scraped = ['instance', 'job'];

/** Every mistake of a query, as one sentence each. `says`: text with labels of its result in double braces. */
export function queryMistakes(expression: string, says: string): string[] {
  const mistakes: string[] = [];
  const known = new Set(scraped);
  for (const { name, matchers, isRange } of selectors(expression)) {
    const { metric, labels } = seriesOf(name);
    if (metric === undefined) {
      mistakes.push(`${name}: no such metric`);
      continue;
    }
    for (const label of labels) known.add(label);
    for (const [, label = ''] of matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)) {
      if (![...labels, ...scraped].includes(label)) mistakes.push(`${name} has no label ${label}`);
    }
    const counts = metric.type !== 'gauge';
    if (counts && !isRange) mistakes.push(`${name} counts from the start: take its rate or increase`);
    if (!counts && isRange) mistakes.push(`${name} is a gauge: it has no rate`);
  }
  const grouped = [...expression.matchAll(/\bby \(([^)]*)\)/g)].map(([, list = '']) => list.split(/,\s*/));
  for (const label of grouped.flat()) if (!known.has(label)) mistakes.push(`by (${label}): no metric has it`);
  const result = grouped[0] ?? [...known];
  for (const [, label = ''] of says.matchAll(/\{\{\s*([a-z]\w*)\s*\}\}/g)) {
    if (!result.includes(label)) mistakes.push(`{{${label}}}: the result has no such label`);
  }
  return mistakes;
}

interface Selector {
  readonly name: string;
  readonly matchers: string;
  /** Followed by a range, as rate and increase want it. */
  readonly isRange: boolean;
}

function selectors(expression: string): Selector[] {
  return [...expression.matchAll(/\b((?:spillway|process)_\w+)(\{[^}]*\})?(\[[^\]]+\])?/g)]
    .filter(({ index }) => !insideQuotes(expression, index))
    .map(([, name = '', matchers = '', range]) => ({ name, matchers, isRange: range !== undefined }));
}

function insideQuotes(expression: string, index: number): boolean {
  return expression.slice(0, index).split('"').length % 2 === 0;
}

/** A series belongs to a metric of its own name, or to a histogram. */
function seriesOf(name: string): { metric: (typeof metricTable)[string] | undefined; labels: readonly string[] } {
  const own = metricTable[name];
  if (own !== undefined) return { metric: own.type === 'histogram' ? undefined : own, labels: own.labels };
  const [, base = '', part] = /^(.*)_(bucket|sum|count)$/.exec(name) ?? [];
  const histogram = metricTable[base];
  if (histogram?.type !== 'histogram') return { metric: undefined, labels: [] };
  return { metric: histogram, labels: part === 'bucket' ? [...histogram.labels, 'le'] : histogram.labels };
}
