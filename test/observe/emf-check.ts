/**
 * Checks a parsed line against the CloudWatch embedded metric format. For tests; written from the specification's schema and limits:
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */

type Json = Readonly<Record<string, unknown>>;

// biome-ignore format: the specification's list
const units = ['Seconds', 'Microseconds', 'Milliseconds', 'Bytes', 'Kilobytes', 'Megabytes', 'Gigabytes', 'Terabytes', 'Bits',
  'Kilobits', 'Megabits', 'Gigabits', 'Terabits', 'Percent', 'Count', 'Bytes/Second', 'Kilobytes/Second', 'Megabytes/Second',
  'Gigabytes/Second', 'Terabytes/Second', 'Bits/Second', 'Kilobits/Second', 'Megabits/Second', 'Gigabits/Second',
  'Terabits/Second', 'Count/Second', 'None'];

/** Every mistake of a line, as one sentence each. */
export function checkEmf(line: unknown): string[] {
  const mistakes: string[] = [];
  const want = (isSo: boolean, what: string): void => {
    if (!isSo) mistakes.push(what);
  };
  if (!isObject(line) || !isObject(line['_aws'])) return ['no _aws'];
  want(Buffer.byteLength(JSON.stringify(line)) <= 256 * 1024, 'larger than 256 KiB');
  const { Timestamp, CloudWatchMetrics, ...unknown } = line['_aws'];
  want(Object.keys(unknown).length === 0, '_aws: unknown members');
  want(Number.isSafeInteger(Timestamp) && (Timestamp as number) > 0, 'Timestamp');
  if (!Array.isArray(CloudWatchMetrics) || CloudWatchMetrics.length === 0) return [...mistakes, 'CloudWatchMetrics'];
  for (const directive of CloudWatchMetrics as unknown[]) {
    if (!isObject(directive)) return [...mistakes, 'a directive'];
    const { Namespace, Dimensions, Metrics, ...others } = directive;
    want(Object.keys(others).length === 0, 'a directive: unknown members');
    want(isText(Namespace, 1024) && !/^(AWS\/|:)/.test(Namespace as string), `Namespace ${String(Namespace)}`);
    want(Array.isArray(Dimensions) && Dimensions.length > 0, 'Dimensions');
    for (const set of (Dimensions as unknown[]) ?? []) {
      if (!Array.isArray(set)) return [...mistakes, 'a dimension set'];
      want(set.length <= 30 && new Set(set).size === set.length, 'a dimension set of more than 30, or with doubles');
      for (const name of set) {
        want(isText(name, 250), `dimension ${String(name)}`);
        want(isText(line[String(name)], 1024), `dimension ${String(name)} has no text`);
      }
    }
    want(Array.isArray(Metrics) && Metrics.length > 0 && Metrics.length <= 100, 'Metrics: 1 to 100');
    for (const metric of (Metrics as unknown[]) ?? []) mistakes.push(...checkMetric(line, metric));
    const names = (Metrics as Json[]).map(({ Name }) => Name);
    want(new Set(names).size === names.length, 'a metric twice');
  }
  return mistakes;
}

function checkMetric(line: Json, metric: unknown): string[] {
  if (!isObject(metric)) return ['a metric'];
  const { Name, Unit, StorageResolution = 60, ...others } = metric;
  if (!isText(Name, 1024)) return [`metric ${String(Name)}`];
  const value = line[Name as string];
  const values: unknown[] = Array.isArray(value) ? value : [value];
  const isRight =
    Object.keys(others).length === 0 &&
    (Unit === undefined || units.includes(Unit as string)) &&
    [1, 60].includes(StorageResolution as number) &&
    values.length >= 1 &&
    values.length <= 100 &&
    values.every((each) => Number.isFinite(each) && Math.abs(each as number) < 2 ** 360);
  return isRight ? [] : [`${String(Name)}: ${JSON.stringify(metric)} is ${JSON.stringify(value)}`];
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isText(value: unknown, lengthMax: number): boolean {
  return typeof value === 'string' && value.length > 0 && value.length <= lengthMax;
}
