import t from 'tap';
import { configError } from '../../src/daemon/mistakes.ts';
import { load, mistakesOf, smallest } from './sources.ts';

t.test('all mistakes are reported at once, each with line, key, value and cure', async (t) => {
  const text = `lanes = 2
[daemon]
lnaes = 3
memory_budget = "64MB"
[streem]
[[stream]]
name = "a b"
linger = "100"
region = "eu-west-1"
[[listen]]
kind = "unix"
path = "relative.sock"
[breaker]
close_at = 1.5
`;
  t.strictSame(mistakesOf(text, { SPILLWAY_LOG_LEVEL: 'trace' }).sort(), [
    'SPILLWAY_LOG_LEVEL: log.level = "trace": must be "debug" or "info" or "warn" or "error"',
    'spillway.toml:12: listen[0].path = "relative.sock": must be an absolute path, like "/var/lib/spillway"',
    'spillway.toml:14: breaker.close_at = 1.5: too large: at most 0.95',
    'spillway.toml:1: lanes: not in a section: it belongs under [daemon]',
    'spillway.toml:3: daemon.lnaes = 3: unknown key; did you mean "lanes"?',
    'spillway.toml:4: daemon.memory_budget = "64MB": is not a size: write "512KiB", "64MiB", "10GiB" or a plain number of bytes; sizes are binary here: "64MiB"',
    'spillway.toml:5: streem: unknown section; did you mean [[stream]]?',
    'spillway.toml:7: stream[0].name = "a b": must be 1 to 128 of a-z A-Z 0-9 _ . -',
    'spillway.toml:8: stream[0].linger = "100": is not a duration: write "250ms", "10s", "5m", "2h" or "0"; if milliseconds are meant, write "100ms"',
  ]);
});

t.test('a syntax error has line and column, and nothing is reported as missing because of it', async (t) => {
  t.strictSame(mistakesOf('[daemon]\nlanes = = 2\n').length, 1);
  t.match(mistakesOf('[daemon]\nlanes = = 2\n'), [/^spillway.toml:2:9: /]);
});

t.test('a key of another section is sent home', async (t) => {
  t.match(mistakesOf(`${smallest}[daemon]\nmax_bytes = "1GiB"`), [/unknown key: it belongs under \[dlq\]$/]);
});

t.test('a single table where many may stand, and the reverse, are told apart', async (t) => {
  t.match(mistakesOf(smallest.replace('[[stream]]', '[stream]')), [/stream: must be a table: write \[\[stream\]\]/]);
  t.match(mistakesOf(`${smallest}[[dlq]]\nfsync = "each"`), [/dlq: must be a table: write \[dlq\]/]);
  t.match(mistakesOf(`daemon = 5\n${smallest}`), [/^spillway.toml:1: daemon: must be a table/]);
});

t.test('an unknown variable of our prefix is a mistake that names the one that was meant', async (t) => {
  t.match(mistakesOf(smallest, { SPILLWAY_DAEMON_LANS: '2' }), [
    /^SPILLWAY_DAEMON_LANS: .* did you mean SPILLWAY_DAEMON_LANES\?$/,
  ]);
  t.match(mistakesOf(smallest, { SPILLWAY_STREAM_LINGER: '2s' }), [/did you mean SPILLWAY_STREAM_0_LINGER\?$/]);
  t.match(mistakesOf(smallest, { SPILLWAY_STREAM_7_LINGER: '2s' }), [
    /there are 1 \[\[stream\]\] tables: the next is SPILLWAY_STREAM_1_/,
  ]);
});

t.test('what the design names and this version does not offer is refused as such', async (t) => {
  t.match(mistakesOf(`${smallest}[[listen]]\nkind = "kinesis"\naddress = "127.0.0.1:1"`), [
    /kind = "kinesis": not offered yet/,
  ]);
});

t.test('a wrong value is not also reported as missing', async (t) => {
  t.equal(mistakesOf(smallest.replace('"eu-west-1"', '5')).length, 1);
  t.equal(mistakesOf(smallest.replace('"/run/spillway/orders.sock"', '5')).length, 1);
});

t.test('a file of nothing but mistakes prints a bounded report', async (t) => {
  const result = load(
    `[daemon]\n${Array.from({ length: 300 }, (_, index) => `nonsense${index} = 1`).join('\n')}\n${smallest}`,
  );
  t.notOk(result.ok);
  if (result.ok) return;
  t.equal(result.mistakes.length, 300);
  const { message } = configError(result.mistakes);
  t.equal(message.split('\n').length, 102);
  t.match(message, /and 200 more$/);
});

t.test('a value in a message is cut to a readable length', async (t) => {
  const [line = ''] = mistakesOf(`${smallest}[log]\nlevel = "${'x'.repeat(10_000)}"`);
  t.ok(line.length < 250, `${line.length} characters`);
});

t.test('names that every object has are unknown keys like any other', async (t) => {
  for (const key of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) {
    t.match(mistakesOf(`${smallest}[daemon]\n${key} = 1`), [new RegExp(`daemon.${key} = 1: unknown key`)], key);
    t.match(mistakesOf(`${key} = 1\n${smallest}`), [new RegExp(`^spillway.toml:1: ${key}: unknown section`)], key);
  }
});
