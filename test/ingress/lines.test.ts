/**
 * Lines on real unix sockets, claim by claim: what is an event, where it may be cut, which key it gets.
 */
import t, { type Test } from 'tap';
import { Verdict } from '../../src/ingress/intake.ts';
import { type LineRules, listenForTest, RawSender } from './unix-harness.ts';

/** What a sender of lines was told, line by line. */
const toldOf = (sender: RawSender): Record<string, unknown>[] =>
  sender.text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

/** Sends `pieces`, each once the one before was read, and ends; resolves with what was offered and told. */
async function exchange(t: Test, rules: LineRules, ...pieces: (string | Buffer)[]) {
  const { path, intake, listener } = await listenForTest(t, { lines: rules });
  const sender = new RawSender(path, false);
  let sent = 0;
  for (const piece of pieces) {
    sender.socket.write(piece);
    sent += Buffer.byteLength(piece);
    while (listener.stats.bytesRead < sent) await new Promise((resolve) => setImmediate(resolve));
  }
  sender.socket.end();
  await sender.closed;
  const keys = intake.offered.map(({ key }) => key);
  return { data: intake.offered.map(({ data }) => data), keys, told: toldOf(sender), intake };
}

t.test(
  'each line is an event with its bytes unchanged; LF and CRLF end it, and so does the end of input',
  async (t) => {
    const { data, told } = await exchange(t, {}, 'one\ntwo \r\n\n\r\n\tthree\rx\nfour');
    t.strictSame(data, ['one', 'two ', '\tthree\rx', 'four']);
    t.strictSame(told.at(-1), { accepted: 4, refused: 0 });
  },
);

t.test('NUL bytes, invalid UTF-8 and control characters reach the stream as they came', async (t) => {
  const strange = Buffer.from([0x61, 0x00, 0xc3, 0x28, 0x80, 0xfe, 0x01, 0x7f, 0x0d, 0x62]);
  const { data, told } = await exchange(t, {}, Buffer.concat([strange, Buffer.from('\n\0\n')]));
  t.strictSame(data, [strange.toString('latin1'), '\0']);
  t.strictSame(told, [{ accepted: 2, refused: 0 }]);
});

t.test('a byte order mark before the first line is no part of it; later ones are bytes like others', async (t) => {
  const mark = Buffer.from([0xef, 0xbb, 0xbf]);
  const line = Buffer.from('{"id":"a"}\n');
  const { data, keys, told } = await exchange(t, { keyField: 'id' }, Buffer.concat([mark, line, mark, line]));
  t.strictSame(data, ['{"id":"a"}']);
  t.strictSame(keys, ['a']);
  t.match(told[0], { line: 2, error: 'bad_json' });
  t.strictSame((await exchange(t, {}, mark)).data, [], 'a mark alone is no event');
  t.strictSame((await exchange(t, {}, mark, 'x\n')).data, ['x'], 'also when it comes alone');
});

const everything = Buffer.from('\ufeff{"id":"ü\\u00e9"}\r\n\nnonsense\n{"x":1,"id":7}\n{"id":true}\n{"id":"last"}');
const expectedKeys = ['\u00c3\u00bc\u00c3\u00a9', '7', 'last'];
const expectedTold = [
  { line: 3, error: 'bad_json' },
  { line: 5, error: 'missing_key' },
];

t.test('split at every byte, the same events are taken and the same lines refused', async (t) => {
  const rules: LineRules = { keyField: 'id', missingKey: 'refuse' };
  for (let cut = 1; cut < everything.length; cut += 1) {
    const { keys, told } = await exchange(t, rules, everything.subarray(0, cut), everything.subarray(cut));
    if (JSON.stringify(keys) !== JSON.stringify(expectedKeys)) t.strictSame(keys, expectedKeys, `cut at ${cut}`);
    const refusals = told.filter(({ line }) => line !== undefined).map(({ line, error }) => ({ line, error }));
    if (JSON.stringify(refusals) !== JSON.stringify(expectedTold))
      t.strictSame(refusals, expectedTold, `cut at ${cut}`);
  }
  const { keys, told } = await exchange(t, rules, ...Array.from(everything, (byte) => Buffer.of(byte)));
  t.strictSame(keys, expectedKeys, 'one byte at a time');
  t.strictSame(told.at(-1), { accepted: 3, refused: 2 });
});

t.test('the key is taken from a dotted field, with its escapes undone; numbers as they are written', async (t) => {
  const { keys } = await exchange(
    t,
    { keyField: 'user.id' },
    '{"user":{"id":"a\\n\\u0041"}}\n{"z":[{"user":1}],"user":{"id":-1.50e3}}\n{"\\u0075ser":{"id":"esc"}}\n{"user":{"id":"b"}} trailing\n',
  );
  t.strictSame(keys, ['a\nA', '-1.50e3', 'esc', 'b']);
});

t.test('a line without the field gets a random key, or is refused where missing_key says so', async (t) => {
  const lines = '{"id":"a"}\n{"x":1}\n{"id":null}\n[1]\n"text"\n 42\n-0\n{}\n{"id":"b"}\n';
  const random = await exchange(t, { keyField: 'id', missingKey: 'random' }, lines);
  t.strictSame(random.keys, ['a', ...Array<string>(7).fill('R'.repeat(16)), 'b']);
  t.strictSame(random.told, [{ accepted: 9, refused: 0 }]);
  const refuse = await exchange(t, { keyField: 'id', missingKey: 'refuse' }, lines);
  t.strictSame(refuse.keys, ['a', 'b']);
  t.match(refuse.told, [
    { line: 2, error: 'missing_key', count: 7, retryable: false },
    { accepted: 2, refused: 7 },
  ]);
  t.match(refuse.told[0]?.['message'], /key field is absent/);
});

t.test('what is not JSON where the key is sought is refused by its line; the lines around it are taken', async (t) => {
  for (const bad of ['nonsense', '{', '{"x":01,"id":"a"}', '[1', '"open', '4 2', '{"id" "a"}', '{\0"id":"a"}', '']) {
    const { keys, told } = await exchange(t, { keyField: 'id' }, `{"id":"a"}\n${bad}\n{"id":"b"}\n`);
    t.strictSame(keys, ['a', 'b'], bad);
    if (bad !== '') t.match(told[0], { line: 2, error: 'bad_json', retryable: false }, bad);
  }
});

t.test('an empty, over-long or broken key is refused by its line and its cause', async (t) => {
  const long = 'k'.repeat(257);
  const invalid = Buffer.from([0x7b, 0x22, 0x69, 0x64, 0x22, 0x3a, 0x22, 0xff, 0x22, 0x7d, 0x0a]);
  const { path, intake } = await listenForTest(t, { lines: { keyField: 'id' } });
  intake.verdict = ({ key }) => (key.length > 256 ? Verdict.keyTooLong : Verdict.ring);
  const sender = new RawSender(path, false);
  const lines = Buffer.from(`{"id":"a"}\n{"id":""}\n{"id":"${long}"}\n`);
  sender.socket.end(Buffer.concat([lines, invalid, Buffer.from('{"id":"b"}\n')]));
  await sender.closed;
  t.match(toldOf(sender), [
    { line: 2, error: 'empty_key' },
    { line: 3, error: 'key_too_long' },
    { line: 4, error: 'key_not_utf8' },
    { accepted: 2, refused: 3 },
  ]);
});
