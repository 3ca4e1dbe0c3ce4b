import t, { type Test } from 'tap';
import {
  type Case,
  type Deadly,
  type Difference,
  type Expected,
  mistakesOf,
  notFound,
  passes,
  violates,
} from './conformance.ts';
import { httpCases } from './conformance-http.ts';
import { putCases } from './conformance-put.ts';
import { deadlyPutCases, putManyCases } from './conformance-put-many.ts';
import { readCases } from './conformance-read.ts';
import { reshardCases } from './conformance-reshard.ts';
import { deadlyStreamCases, streamCases } from './conformance-streams.ts';
import { kinesaliteFor } from './kinesalite.ts';
import { simulatorFor } from './peers.ts';
import { type Answered, type Ask, type Asked, ask, type Wire, whenActive } from './raw.ts';

const casesOf = (stream: string): Case[] => [
  ...streamCases(stream),
  ...putCases(stream),
  ...putManyCases(stream),
  ...readCases(stream),
  ...httpCases(),
  ...reshardCases(stream),
];
const deadly: readonly Deadly[] = [...deadlyStreamCases(), ...deadlyPutCases('orders')];

/** Operations after which kinesalite's stream needs a moment. */
const changesStream = /^(CreateStream|SplitShard|MergeShards)$/;

/** Asks all cases in order, and gives each answer to `check`. */
async function run(answer: Ask, wire: Wire, check: (one: Case, answered: Answered) => void): Promise<void> {
  const told = new Map<string, Record<string, unknown>>();
  for (const one of casesOf(`orders-${wire}`)) {
    if (one.wire !== undefined && one.wire !== wire) continue;
    const asked = typeof one.asked === 'function' ? one.asked((name) => told.get(name) ?? {}) : one.asked;
    const answered = await answer({ wire, ...asked });
    told.set(one.name, Object(answered.body) as Record<string, unknown>);
    check(one, answered);
    if (changesStream.test(asked.operation) && answered.status === 200) await whenActive(answer, asked);
  }
}

const differenceOf = (one: Case, wire: Wire): Difference | undefined =>
  one.kinesalite?.wire === undefined || one.kinesalite.wire === wire ? one.kinesalite : undefined;

const conforms = (t: Test, name: string, expected: Expected, answered: Answered): void =>
  void t.strictSame(mistakesOf(expected, answered), [], name);

t.test('no two cases have the same name', async (t) => {
  const names = [...casesOf('x'), ...deadly].map(({ name }) => name);
  t.strictSame(
    names.filter((name, index) => names.indexOf(name) !== index),
    [],
  );
});

for (const wire of ['json', 'cbor'] as const) {
  t.test(`the simulator answers every case as expected, in ${wire}`, async (t) => {
    const { url } = await simulatorFor(t, { streams: [] });
    await run(
      (asked) => ask(url, asked),
      wire,
      (one, answered) => conforms(t, one.name, one, answered),
    );
  });

  t.test(`kinesalite answers every case so too, in ${wire}, but for the differences that are listed`, async (t) => {
    const kinesalite = await kinesaliteFor(t);
    await run(kinesalite.ask, wire, (one, answered) => {
      const difference = differenceOf(one, wire);
      conforms(t, `${one.name}${difference === undefined ? '' : ': as listed'}`, difference ?? one, answered);
      if (difference === undefined) return;
      t.not(mistakesOf(one, answered).length, 0, `${one.name}: kinesalite answers as we do: remove the difference`);
    });
  });
}

for (const one of deadly) {
  t.test(`${one.name}: kinesalite does not survive it, and we do`, async (t) => {
    const asked = one.asked as Asked;
    const { url } = await simulatorFor(t);
    conforms(t, one.name, one, await ask(url, asked));
    conforms(
      t,
      'another request',
      passes({ StreamNames: ['orders'], HasMoreStreams: false }),
      await ask(url, { operation: 'ListStreams', body: {} }),
    );
    const kinesalite = await kinesaliteFor(t, 'ignore');
    await kinesalite.create('orders', 1);
    await t.rejects(
      kinesalite.ask(asked),
      /ended|ECONNRESET|hang up/,
      `${one.because}: remove it from the deadly ones if it answers`,
    );
    t.not(await kinesalite.ended, 0);
  });
}

t.test('answers that are not as expected are seen', async (t) => {
  const answered = (status: number, body: unknown): Answered => ({ status, headers: {}, body });
  t.strictSame(mistakesOf(passes({ a: [/x/, 5] }), answered(200, { a: ['yxy', 5] })), []);
  t.match(mistakesOf(passes('a'), answered(500, 'a')), [/status 500 instead of 200/]);
  t.match(mistakesOf(passes({ a: 1 }), answered(200, { a: 1, b: 2 })), [/answer.b should not be there: 2/]);
  t.match(mistakesOf(passes({ a: 1, b: 2 }), answered(200, { a: 1 })), [/answer.b is missing/]);
  t.match(mistakesOf(passes(['a']), answered(200, ['a', 'b'])), [/answer: \["a","b"\] instead of \["a"\]/]);
  t.match(mistakesOf(passes(Buffer.from('a')), answered(200, 'YQ')), [/answer: "YQ"/]);
  t.match(mistakesOf(notFound('a'), answered(400, { __type: 'x', message: 'y' })), [
    /answer.__type: "x"/,
    /message: "y"/,
  ]);
  t.match(mistakesOf(violates(['x', 'y']), answered(400, '')), [/answer: "" instead of an object/]);
});
