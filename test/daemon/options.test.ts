import fc from 'fast-check';
import t from 'tap';
import { boundOf, formOf, type Option, readValue } from '../../src/daemon/kinds.ts';
import { optionTableMarkdown, withOptionTable } from '../../src/daemon/option-table.ts';
import { optionsOf, type SectionName, sections } from '../../src/daemon/options.ts';
import { jsonSchema, zodSchema } from '../../src/daemon/schema.ts';
import { loaded, smallest } from './sources.ts';

const rows: readonly (readonly [string, SectionName, string, Option])[] = (
  Object.keys(sections) as SectionName[]
).flatMap((section) =>
  Object.entries(optionsOf(section)).map(([key, option]) => [`${section}.${key}`, section, key, option] as const),
);

const unitOfKind: Readonly<Partial<Record<Option['kind'], RegExp>>> = { duration: /Ms$/, size: /Bytes(Max)?$/ };

t.test('every default is a value that the option itself takes', async (t) => {
  for (const [label, , , option] of rows) {
    if (option.default !== undefined) t.match(readValue(option, option.default, false), { ok: true }, label);
  }
});

t.test('every option that counts has a least and a most, and refuses what lies beyond them', async (t) => {
  for (const [label, , , option] of rows) {
    if (!['duration', 'size', 'number', 'share'].includes(option.kind)) continue;
    const least = boundOf(option, 'least') ?? Number.NaN;
    const most = boundOf(option, 'most') ?? Number.NaN;
    t.ok(least < most, label);
    const text = (value: number): unknown => (option.kind === 'duration' ? `${value}ms` : value);
    t.match(readValue(option, text(least), false), { ok: true, value: least }, label);
    t.match(readValue(option, text(most), false), { ok: true, value: most }, label);
    t.match(readValue(option, text(most + 1), false), { ok: false, cure: /^too large: at most / }, label);
    if (least > 0) t.match(readValue(option, text(least - 1), false), { ok: false }, label);
  }
});

t.test(
  'a name in Config carries the unit of its kind, a sentence ends with a full stop, keys are snake_case',
  async (t) => {
    for (const [label, , key, option] of rows) {
      const unit = unitOfKind[option.kind];
      if (unit !== undefined) t.match(option.name, unit, label);
      t.match(option.about, /^[A-Z].*\.$/, label);
      t.match(key, /^[a-z]+(_[a-z]+)*$/, label);
      t.not(formOf(option), '', label);
    }
  },
);

t.test('every option of the table arrives in Config under its name', async (t) => {
  const config = loaded(`${smallest}[[listen]]\nkind = "http"\naddress = "127.0.0.1:0"`);
  const groups: Readonly<Record<SectionName, readonly object[]>> = {
    daemon: [config.daemon],
    stream: config.streams,
    listen: config.listeners,
    breaker: [config.breaker],
    dlq: [config.dlq],
    journal: [config.journal],
    log: [config.log],
    alert: config.alerts,
    notify: [config.notify],
  };
  for (const [label, section, , option] of rows) {
    if (option.default !== undefined)
      t.ok(
        groups[section].some((group) => option.name in group),
        label,
      );
  }
});

t.test('text of the environment is read as the same value that a file would give', async (t) => {
  for (const [label, , , option] of rows) {
    if (option.default === undefined) continue;
    t.strictSame(readValue(option, String(option.default), true), readValue(option, option.default, false), label);
  }
});

t.test('whatever the loader takes, the JSON Schema takes too', async () => {
  const written = fc.oneof(
    fc.boolean(),
    fc.integer({ min: -2, max: 2000 }),
    fc.double({ min: -1, max: 2, noNaN: true }),
    fc.constantFrom('json', 'cbor', 'none', 'spill', 'unix', 'each', 'memory', 'info', 'key', ''),
    fc.stringMatching(/^[0-9]{1,4}(ms|s|m|h|KiB|MiB|GiB)?$/),
    fc.constantFrom(['/bin/page'], ['page'], ['/bin/page', 5], []),
    fc.stringMatching(/^\/?[a-z.:/]{1,12}(:[0-9]{1,5})?$/),
    fc.constantFrom('0660', 'https://h:1', 'HTTP://h', '127.0.0.1:7070', '[::1]:0', 'eu-west-1', 'orders'),
  );
  const schema = zodSchema();
  const required: Partial<Record<SectionName, object>> = {
    stream: { name: 'orders' },
    listen: { kind: 'unix' },
    alert: { name: 'dlq_full' },
  };
  const row = fc.constantFrom(...rows);
  fc.assert(
    fc.property(row, written, ([, section, key, option], value) => {
      if (!readValue(option, value, false).ok) return true;
      const table = { ...required[section], [key]: value };
      return schema.safeParse({ [section]: sections[section].many ? [table] : table }).success;
    }),
    { numRuns: 20_000 },
  );
});

t.test('the JSON Schema refuses unknown keys, wrong types and values that are not offered', async (t) => {
  const schema = zodSchema();
  for (const document of [
    { deamon: {} },
    { daemon: { lnaes: 1 } },
    { daemon: { lanes: '1' } },
    { daemon: { lanes: 65 } },
    { stream: { name: 'x' } },
    { stream: [{}] },
    { stream: [{ name: 'x', ordering: 'time' }] },
    { listen: [{ kind: 'kinesis' }] },
    { stream: [{ name: 'x', linger: '5' }] },
  ]) {
    t.notOk(schema.safeParse(document).success, JSON.stringify(document));
  }
});

t.test('the JSON Schema is a draft 7 document in which every option has its sentence and default', async (t) => {
  const document = JSON.parse(JSON.stringify(jsonSchema())) as { properties: Record<string, unknown> };
  t.match(document, {
    $schema: 'http://json-schema.org/draft-07/schema#',
    type: 'object',
    additionalProperties: false,
  });
  for (const [label, section, key, option] of rows) {
    const table = document.properties[section] as { items?: unknown };
    const property = (
      (table.items ?? table) as { properties: Record<string, { description: string; default?: unknown }> }
    ).properties[key];
    t.ok(property?.description.startsWith(option.about), label);
    t.equal(property?.default, option.default, label);
  }
});

t.test('the Markdown table has a row for every option and replaces what stands between its markers', async (t) => {
  for (const [label, , key] of rows) t.ok(optionTableMarkdown().includes(`\n| \`${key}\` |`), label);
  const text = 'before\n<!-- options:start -->\nold\n<!-- options:end -->\nafter\n';
  const written = withOptionTable(text) ?? '';
  t.ok(written.startsWith('before\n<!-- options:start -->\n| `[daemon]`'));
  t.ok(written.endsWith('|\n<!-- options:end -->\nafter\n'));
  t.equal(withOptionTable(written), written, 'and writing it again changes nothing');
  t.equal(withOptionTable('no markers'), undefined);
});
