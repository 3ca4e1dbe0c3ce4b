import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { optionTableMarkdown } from '../../src/daemon/option-table.ts';
import { spillway } from './spillway.ts';

const correct = `[[stream]]
name = "orders"
region = "eu-west-1"
[[listen]]
kind = "unix"
path = "/run/spillway/orders.sock"
`;

function fileOf(t: { testdir(): string }, text: string): string {
  const file = join(t.testdir(), 'spillway.toml');
  writeFileSync(file, text);
  return file;
}

t.test('a correct configuration ends with 0 and says what would run', async (t) => {
  const { code, stdout, stderr } = await spillway(['check', '--config', fileOf(t, correct)]);
  t.equal(code, 0, stderr);
  t.match(
    stdout,
    /correct[^]*lanes {5}\d+, each with a ring of \d+ MiB per stream, of 256MiB[^]*orders -> orders in eu-west-1[^]*unix \/run\/spillway/,
  );
});

t.test('a wrong configuration ends with 78 and every mistake', async (t) => {
  const file = fileOf(t, correct.replace('orders"', 'or ders"').replace('eu-west-1', '5'));
  const { code, stdout, stderr } = await spillway(['check', '-c', file]);
  t.equal(code, 78);
  t.equal(stdout, '');
  t.match(stderr, new RegExp(`^spillway: 2 mistakes in the configuration\n  ${file}:2: .*\n  ${file}:3: .*\n$`));
});

t.test('--json prints the configuration or its mistakes as data', async (t) => {
  const good = await spillway(['check', '--json', '--config', fileOf(t, correct)]);
  t.match(JSON.parse(good.stdout), { ok: true, config: { streams: [{ name: 'orders', lingerMs: 100 }] } });
  const bad = await spillway(['check', '--json', '--config', fileOf(t, 'x = 1')]);
  t.equal(bad.code, 78);
  t.match(JSON.parse(bad.stdout), { ok: false, mistakes: [{ key: 'x', cure: /^unknown section/ }, {}, {}] });
});

t.test('SPILLWAY_CONFIG names the file where --config does not', async (t) => {
  const file = fileOf(t, correct);
  t.match(await spillway(['check'], { SPILLWAY_CONFIG: file }), { code: 0 });
  t.match(await spillway(['check', '--config', file], { SPILLWAY_CONFIG: '/nonexistent' }), { code: 0 });
});

t.test('a file that cannot be read is a mistake of the configuration, not a crash', async (t) => {
  t.match(await spillway(['check', '--config', '/nonexistent']), {
    code: 78,
    stderr: /cannot be read \(ENOENT\); name another/,
  });
  t.match(await spillway(['check', '--config', t.testdir()]), { code: 78, stderr: /cannot be read \(EISDIR\)/ });
  const huge = fileOf(t, '#'.repeat(1024 ** 2 + 1));
  t.match(await spillway(['check', '--config', huge]), {
    code: 78,
    stderr: /1048577 bytes, more than a configuration can have/,
  });
});

t.test('a CA file is looked at before anything starts', async (t) => {
  const with_ = (path: string): string => correct.replace('region', `ca_file = "${path}"\nregion`);
  const absent = fileOf(t, with_('/nonexistent.pem'));
  t.match(await spillway(['check', '--config', absent]), {
    code: 78,
    stderr: /ca_file of stream orders .* cannot be read \(ENOENT\)/,
  });
  const file = fileOf(t, correct);
  writeFileSync(file, with_(file));
  t.match(await spillway(['check', '--config', file]), { code: 78, stderr: /holds no PEM certificate/ });
});

t.test('--schema prints JSON and --table prints the table of the README', async (t) => {
  const [schema, table] = await Promise.all([spillway(['check', '--schema']), spillway(['check', '--table'])]);
  t.match(JSON.parse(schema.stdout), { type: 'object', properties: { daemon: {}, stream: {}, listen: {} } });
  t.equal(table.stdout, optionTableMarkdown());
});

t.test('with no configuration anywhere, check says how to name one', async (t) => {
  t.match(await spillway(['check']), {
    code: 78,
    stderr: /no configuration: name one with --config or SPILLWAY_CONFIG/,
  });
});
