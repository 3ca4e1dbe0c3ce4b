import t, { type Test as Tap } from 'tap';
import { mistakesOf, smallest } from './sources.ts';

/** `smallest` with lines added to its stream. */
const stream = (lines: string): string => smallest.replace('[[listen]]', `${lines}\n[[listen]]`);
const other = '[[stream]]\nname = "clicks"\nregion = "eu-west-1"\n';

function refuses(t: Tap, text: string, ...said: RegExp[]): void {
  t.match(mistakesOf(text), said);
  t.equal(mistakesOf(text).length, said.length, 'and nothing else is said');
}

t.test('something to send to and something to listen to is needed', async (t) => {
  refuses(t, '', /^spillway.toml: stream: no destination/, /^spillway.toml: listen: nothing to listen to/);
});

t.test('the breaker closes below where it opens', async (t) => {
  refuses(t, `${smallest}[breaker]\nopen_at = 0.5`, /breaker.close_at: must be below breaker.open_at = 0.5/);
  refuses(t, `${smallest}[breaker]\nopen_at = 0.5\nclose_at = 0.5`, /^spillway.toml:10: breaker.close_at = 0.5/);
});

t.test('names, socket paths, addresses and stdin stand only once', async (t) => {
  refuses(
    t,
    other.replace('clicks', 'orders') + stream(''),
    /^spillway.toml:6: stream\[1\].name = "orders": stream\[0\] has the same/,
    /several/,
  );
  refuses(
    t,
    `${smallest}[[listen]]\nkind = "unix"\npath = "/run/spillway/orders.sock"`,
    /listen\[1\].path .* listen\[0\] has the same/,
  );
  const http = '[[listen]]\nkind = "http"\naddress = "127.0.0.1:7070"\n';
  refuses(t, smallest + http + http, /listen\[2\].address .* listen\[1\] has the same/);
  t.strictSame(
    mistakesOf(smallest + (http + http).replaceAll('7070', '0')),
    [],
    'any free port may be asked for twice',
  );
  refuses(t, `${smallest}[[listen]]\nkind = "stdin"\n[[listen]]\nkind = "stdin"`, /listen\[2\].kind = "stdin"/);
});

t.test('a listener names a stream that exists, and must name one where there are several', async (t) => {
  refuses(
    t,
    `${smallest}stream = "order"`,
    /listen\[0\].stream = "order": no \[\[stream\]\] has this name; there is orders/,
  );
  refuses(t, other + smallest, /listen\[0\].stream: missing: there are several/);
  const http = smallest
    .replace('kind = "unix"', 'kind = "http"')
    .replace('path = "/run/spillway/orders.sock"', 'address = "localhost:1"');
  t.strictSame(mistakesOf(other + http), [], 'over HTTP the URL names the stream');
});

t.test('a listener takes the options of its kind only', async (t) => {
  refuses(t, `${smallest}address = "127.0.0.1:1"`, /listen\[0\].address .* kind "unix" does not take it: only "http"/);
  refuses(t, `${smallest}[[listen]]\nkind = "http"`, /listen\[1\].address: missing/);
  refuses(t, smallest.replace(/path = .*\n/, ''), /listen\[0\].path: missing/);
  refuses(
    t,
    `${smallest}[[listen]]\nkind = "stdin"\nmode = "0600"`,
    /listen\[1\].mode .* kind "stdin" does not take it/,
  );
});

t.test('a socket path has room in sockaddr_un', async (t) => {
  const path = (bytes: number): string => smallest.replace(/path = .*/, `path = "/${'é'.repeat((bytes - 1) / 2)}"`);
  t.strictSame(mistakesOf(path(107)), []);
  refuses(t, path(109), /109 bytes: a unix socket's path has at most 107/);
});

t.test('an endpoint is an http or https origin', async (t) => {
  for (const url of ['ftp://h', 'localhost:4567', 'https://h/path', 'https://user@h', 'https://h?x', '']) {
    refuses(t, stream(`endpoint = "${url}"`), /stream\[0\].endpoint = .*: must be a URL that begins with http/);
  }
  for (const url of ['http://h', 'https://localhost:4567', 'https://h/', 'HTTPS://H'])
    t.strictSame(mistakesOf(stream(`endpoint = "${url}"`)), []);
});

t.test('stream_arn does not contradict region or stream_name', async (t) => {
  const arn = (region: string, name: string): string =>
    `stream_arn = "arn:aws:kinesis:${region}:123456789012:stream/${name}"`;
  t.strictSame(mistakesOf(stream(`${arn('eu-west-1', 'x')}\nstream_name = "x"`)), []);
  refuses(t, stream(arn('us-east-1', 'x')), /stream\[0\].region = "eu-west-1": stream_arn says "us-east-1"/);
  refuses(
    t,
    stream(`${arn('eu-west-1', 'x')}\nstream_name = "y"`),
    /stream\[0\].stream_name = "y": stream_arn says "x"/,
  );
});

t.test('an event outlives the linger of its batch', async (t) => {
  refuses(t, stream('linger = "1s"\ndeadline = "1s"'), /stream\[0\].linger = "1s": must be shorter than deadline/);
});

t.test('the largest record fits into every place that it passes through', async (t) => {
  refuses(
    t,
    stream('record_bytes_max = "128KiB"'),
    /aggregate_bytes: an aggregate is a record: at most record_bytes_max = 128KiB/,
  );
  refuses(t, stream('batch_bytes = "512KiB"'), /batch_bytes = "512KiB": must hold the largest record/);
  refuses(
    t,
    stream('record_bytes_max = "3MiB"'),
    /listen\[0\].frame_bytes_max: stream\[0\].record_bytes_max = 3MiB would never fit/,
  );
  refuses(
    t,
    `${smallest}[dlq]\nsegment_bytes = "1MiB"`,
    /record_bytes_max: does not fit into dlq.segment_bytes = 1MiB/,
  );
});

t.test('the DLQ holds at least two segments', async (t) => {
  refuses(
    t,
    `${smallest}[dlq]\nmax_bytes = "100MiB"`,
    /dlq.max_bytes = "100MiB": must hold two segments: at least 128MiB/,
  );
});

t.test('EMF lines are asked for only where lines of their level are written', async (t) => {
  refuses(
    t,
    `${smallest}[log]\nlevel = "warn"\nemf = true`,
    /^spillway.toml:\d+: log.emf = true: its lines are of level info/,
  );
  t.strictSame(mistakesOf(`${smallest}[log]\nlevel = "debug"\nemf = true`), []);
  t.strictSame(mistakesOf(`${smallest}[log]\nlevel = "warn"`), []);
  refuses(t, `${smallest}[log]\nemf_namespace = "AWS/Kinesis"`, /log.emf_namespace = "AWS\/Kinesis": must be 1 to 255/);
});

t.test('a memory budget that is too small for its lanes names the one that is enough', async (t) => {
  const text = `${smallest}[daemon]\nlanes = 8\nmemory_budget = "64MiB"`;
  const [line = ''] = mistakesOf(text);
  t.match(line, /^spillway.toml:10: daemon.memory_budget = "64MiB": too small for 8 lane\(s\): at least "[0-9]+MiB"/);
  const enough = /at least "([^"]+)"/.exec(line)?.[1] ?? '';
  t.strictSame(mistakesOf(text.replace('64MiB', enough)), []);
});
