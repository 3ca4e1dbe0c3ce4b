/**
 * Writes metrics in the Prometheus text format, version 0.0.4. Main thread; pure; one writer makes one page.
 *
 * Samples of a metric stand together below its HELP and TYPE lines, as the format wants it. A metric without samples is left out.
 * Source: https://prometheus.io/docs/instrumenting/exposition_formats/
 */
import type { LatencyTotal } from './latency-totals.ts';
import { latencyBounds } from './latency-totals.ts';
import { type MetricName, metrics } from './metric-schema.ts';

export const expositionType = 'text/plain; version=0.0.4; charset=utf-8';

/** `le` of each bucket, ready to be written. */
const bounds = [...latencyBounds.map(String), '+Inf'].map((bound) => `le="${bound}"`);

export class Exposition {
  #text = '';
  /** The metric that was opened last, and whether it has samples yet. */
  #name = '';
  #head = '';

  /** What follows are samples of `name`. Each metric is opened once. */
  open(name: MetricName): void {
    const { type, says } = metrics[name];
    this.#name = name;
    this.#head = `# HELP ${name} ${escapeHelp(says)}\n# TYPE ${name} ${type}\n`;
  }

  /** A sample; `labels` as {@link label} gives them, joined by commas, or empty. */
  sample(labels: string, value: number): void {
    this.#begin();
    this.#text += labels === '' ? `${this.#name} ` : `${this.#name}{${labels}} `;
    this.#text += `${numberText(value)}\n`;
  }

  /** The buckets, sum and count of a histogram of seconds. */
  histogram(labels: string, { counts, sumSeconds }: LatencyTotal): void {
    this.#begin();
    const more = labels === '' ? '' : `${labels},`;
    const only = labels === '' ? '' : `{${labels}}`;
    let passed = 0;
    for (let slot = 0; slot < bounds.length; slot++) {
      passed += counts[slot] as number;
      this.#text += `${this.#name}_bucket{${more}${bounds[slot]}} ${passed}\n`;
    }
    this.#text += `${this.#name}_sum${only} ${numberText(sumSeconds)}\n${this.#name}_count${only} ${passed}\n`;
  }

  /** The page so far. */
  get text(): string {
    return this.#text;
  }

  #begin(): void {
    this.#text += this.#head;
    this.#head = '';
  }
}

/** `name="value"`, whatever the value holds. */
export function label(name: string, value: string): string {
  return `${name}="${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

/** JavaScript's decimal form is one that the format takes, but for the words of what is no number. */
function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}
