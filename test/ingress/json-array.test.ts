/**
 * JSON bodies over real HTTP connections, claim by claim: which bytes are an event, where a body may be cut, which fault is
 * named how.
 */
import t, { type Test } from 'tap';
import { judgementOf } from './http-answers.ts';
import { type HttpBenchOptions, jsonType, listenHttpForTest, post, postChunks } from './http-harness.ts';

/** Posts `body` as JSON; resolves with what was offered and answered. */
async function exchange(t: Test, body: string | Buffer, options: HttpBenchOptions = {}) {
  const { intake, ask } = await listenHttpForTest(t, options);
  const [answer] = await ask(post(body, [jsonType]));
  const data = intake.offered.map(({ data: one }) => one);
  const keys = intake.offered.map(({ key }) => key);
  return { status: answer?.status, told: judgementOf(answer), data, keys };
}

const elements = [
  '{ "a" : [1, {"b":"]}"}] }',
  '"text with \\" and , and ]"',
  '-12.5e+3',
  '0',
  'null',
  'true',
  '[]',
  '[[{}],[ ]]',
  '{"u":"\\ud83d\\ude00\\\\"}',
  '""',
];

t.test('each element is an event, its bytes unchanged, white space between them left out', async (t) => {
  const { status, told, data } = await exchange(t, ` [ ${elements.join(' ,\r\n\t')}\n] `);
  t.equal(status, 202);
  t.match(told, { accepted: elements.length, refused: 0, errors: [] });
  t.strictSame(data, elements);
});

t.test('a body that is one object is one event; an empty array and an empty body are none', async (t) => {
  t.strictSame((await exchange(t, ' {"id":[1]} \n')).data, ['{"id":[1]}']);
  for (const empty of ['[]', ' [ ] ', '', ' \n']) {
    const { status, told } = await exchange(t, empty);
    t.match({ status, ...told }, { status: 202, accepted: 0, refused: 0 }, JSON.stringify(empty));
  }
});

t.test('a byte order mark before the body is passed over', async (t) => {
  t.strictSame((await exchange(t, '\ufeff[1,2]')).data, ['1', '2']);
  t.equal((await exchange(t, Buffer.from([0xef, 0xbb]))).status, 400, 'a part of one is no body');
});

t.test('split at every byte, a body has the same events and the same faults', async (t) => {
  const { intake, listener, sender } = await listenHttpForTest(t, { keyField: 'id', missingKey: 'refuse' });
  const body = Buffer.from('\ufeff [{"id":"\\u00e9ü"}, nope ,{"x":1} ,"]",{"id":-7}, {"id":"last"} ]');
  const connection = sender();
  for (let cut = 1; cut < body.length; cut += 1) {
    intake.offered.length = 0;
    const [head, tail] = splitPost(body, cut);
    const readBefore = listener.stats.requestsOpen;
    connection.socket.write(head);
    while (listener.stats.requestsOpen === readBefore) await new Promise((resolve) => setImmediate(resolve));
    connection.socket.write(tail);
    const answer = judgementOf((await connection.answered(cut)).at(-1));
    const faults = answer.errors?.map(({ index, error }) => `${index} ${error}`);
    const seen = [answer.accepted, answer.refused, ...(faults ?? []), ...intake.offered.map(({ key }) => key)];
    const expected = [3, 3, '1 bad_json', '2 missing_key', '\u00c3\u00a9\u00c3\u00bc', '-7', 'last'];
    if (JSON.stringify(seen) !== JSON.stringify(expected)) t.strictSame(seen, expected, `cut at ${cut}`);
  }
  connection.socket.destroy();
  const bytewise = await listenHttpForTest(t, { keyField: 'id', missingKey: 'refuse' });
  const chunks = Array.from(body, (byte) => Buffer.of(byte));
  const [answer] = await bytewise.ask(postChunks(chunks, [jsonType]));
  t.match(judgementOf(answer), { accepted: 3, refused: 3 }, 'one byte a chunk');
});

/** A request whose body is cut into what goes with the head and the rest. */
function splitPost(body: Buffer, cut: number): [Buffer, Buffer] {
  const whole = post(body, [jsonType]);
  const at = whole.length - body.length + cut;
  return [whole.subarray(0, at), whole.subarray(at)];
}

t.test('an element that is not JSON is refused by its index; those around it are taken', async (t) => {
  const deep = `${'['.repeat(65)}${']'.repeat(65)}`;
  for (const bad of ['nope', '{"a" 1}', '[1,]', '01', '-', '"\\x"', '{"a":tru}', '1.', deep]) {
    const { status, told, data } = await exchange(t, `["before",${bad},"behind"]`);
    t.equal(status, 400, bad);
    t.strictSame(data, ['"before"', '"behind"'], bad);
    t.match(
      told,
      { accepted: 2, refused: 1, errors: [{ index: 1, error: 'bad_json', message: 'not valid JSON' }] },
      bad,
    );
  }
});

t.test(
  'where nothing tells the next element the fault and its place are named; what stands before is taken',
  async (t) => {
    const faults: [body: string, message: RegExp, accepted: number][] = [
      ['nope', /behind 0 elements: the body begins with neither \[ nor \{/, 0],
      ['"text"', /begins with neither/, 0],
      ['[1 2]', /behind 1 elements: neither a comma nor \]/, 1],
      ['[1,2', /behind 1 elements: the body ends inside/, 1],
      ['[1,2,', /behind 2 elements: the body ends inside/, 2],
      ['[1,"open', /behind 1 elements: the body ends inside/, 1],
      ['{"a":1', /behind 0 elements: the body ends inside/, 0],
      ['[1,,2]', /behind 1 elements: no JSON value stands behind a comma/, 1],
      ['[1,]', /no JSON value stands behind a comma/, 1],
      ['[,1]', /no JSON value stands where the first/, 0],
      ['[1]x', /behind 1 elements: something stands behind the end/, 1],
      ['{"a":1}{"a":2}', /behind 1 elements: something stands behind the end/, 1],
    ];
    for (const [body, message, accepted] of faults) {
      const { status, told } = await exchange(t, body);
      t.match({ status, ...told }, { status: 400, error: 'bad_body', message, accepted, retryable: false }, body);
    }
  },
);

t.test('an element beyond the limit is refused by its index and dropped as it comes; others are taken', async (t) => {
  for (const excess of [1, 100, 150_000]) {
    const { intake, listener, ask } = await listenHttpForTest(t, { eventBytesMax: 1_000, readBytes: 512 });
    const exactly = `"${'x'.repeat(998)}"`;
    const long = `{"a":"${'y]}'.repeat(331)}${'z'.repeat(excess)}"}`;
    const [answer] = await ask(post(`[${exactly},${long},7]`, [jsonType]));
    t.match(judgementOf(answer), {
      accepted: 2,
      refused: 1,
      errors: [{ index: 1, error: 'event_too_large', message: /1000 bytes/ }],
    });
    t.strictSame(
      intake.offered.map(({ data }) => data),
      [exactly, '7'],
    );
    t.equal(listener.stats.carryBytes, 0);
  }
});

t.test('the key is taken from a field; without it missing_key decides; a broken one is named', async (t) => {
  const body = Buffer.from('[{"id":"a"},{"x":{"id":1}},[1],{"id":""},{"id":"~"},{"id":"b"}]');
  body[body.indexOf('~')] = 0xff;
  const random = await exchange(t, body, { keyField: 'id', missingKey: 'random' });
  t.strictSame(random.keys, ['a', 'R'.repeat(16), 'R'.repeat(16), '', 'b']);
  t.match(random.told.errors, [
    { index: 3, error: 'empty_key' },
    { index: 4, error: 'key_not_utf8' },
  ]);
  const refuse = await exchange(t, body, { keyField: 'id', missingKey: 'refuse' });
  t.match(refuse.told.errors?.[0], { index: 1, error: 'missing_key', count: 2 });
});

t.test('more faults than an answer tells are counted', async (t) => {
  const { told } = await exchange(t, `[${'1,nope,'.repeat(40)}2]`);
  t.match(told, { accepted: 41, refused: 40, errorsOmitted: 24 });
  t.equal(told.errors?.length, 16);
});
