import fc from 'fast-check';
import t from 'tap';
import { mistakesOf, passes } from './conformance.ts';
import { kinesaliteFor } from './kinesalite.ts';
import { simulatorFor } from './peers.ts';
import { type Answered, ask, type Wire } from './raw.ts';

const seed = Number(process.env['SEED'] ?? 20_261_124);
const runs = Number(process.env['FUZZ_COUNT'] ?? 250);

/** Values that are of a wrong type wherever they stand. null is not among them: a record may be null only to us. */
const misfit = fc.constantFrom<unknown>(5, true, {}, [], 1.5);
const often = <T>(right: fc.Arbitrary<T>, ...wrong: fc.Arbitrary<unknown>[]): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 24, arbitrary: right }, ...wrong.map((arbitrary) => ({ weight: 1, arbitrary })));

const partitionKey = often(
  fc.oneof(
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }),
    fc.constantFrom('x'.repeat(256), '😀'.repeat(128), '"\\\n\u0000'),
  ),
  fc.constantFrom('', 'x'.repeat(257), '😀'.repeat(129)),
  fc.constantFrom(null, undefined),
  misfit,
);
/** What kinesalite's pattern and AWS' agree on; the rest stands in conformance-put.ts. */
const explicitHashKey = often(
  fc.oneof(fc.constantFrom(null, undefined), fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }).map(String)),
  fc.bigInt({ min: 2n ** 128n, max: 10n ** 39n - 1n }).map(String),
  fc.constantFrom('', 'x', '1x'),
  misfit,
);
const data = (wire: Wire): fc.Arbitrary<unknown> =>
  often(
    fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
    fc.constantFrom(null, undefined),
    misfit,
    ...(wire === 'json' ? [fc.base64String({ maxLength: 12 }), fc.string({ maxLength: 9 })] : []),
  );
const record = (wire: Wire): fc.Arbitrary<unknown> =>
  often(
    fc
      .record({ PartitionKey: partitionKey, ExplicitHashKey: explicitHashKey, Data: data(wire), Other: fc.constant(1) })
      .map(definedOnly),
    fc.constantFrom(5, 'x', true, []),
  );
const request = (wire: Wire): fc.Arbitrary<object> =>
  fc
    .record({
      StreamName: often(fc.constant('orders'), fc.constantFrom('', 'nope', 'a b', 'x'.repeat(129), null), misfit),
      Records: often(fc.array(record(wire), { maxLength: 8 }), fc.constantFrom<unknown>(null, 'x', {}, 5)),
    })
    .map(definedOnly);

function definedOnly(members: object): object {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}

/** What of an answer the two must agree on: for a success the shards, for a failure its type and message. */
function verdictOf({ status, body }: Answered): object {
  const { __type, message, Message, Records, FailedRecordCount } = body as Record<string, unknown>;
  if (status === 200) {
    return { FailedRecordCount, shards: (Records as { ShardId: string }[]).map(({ ShardId }) => ShardId) };
  }
  const text = String(message ?? Message).replaceAll(/PutRecordsRequestEntry@\w+/g, 'PutRecordsRequestEntry@');
  return { status, __type, text };
}

for (const wire of ['json', 'cbor'] as const) {
  t.test(`the simulator and kinesalite judge ${runs} random PutRecords requests alike, in ${wire}`, async (t) => {
    t.comment(`SEED=${seed}`);
    const { url } = await simulatorFor(t);
    const kinesalite = await kinesaliteFor(t);
    await kinesalite.create('orders', 3);
    const seen = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(request(wire), async (body) => {
        const asked = { operation: 'PutRecords', body, wire };
        const [ours, theirs] = [verdictOf(await ask(url, asked)), verdictOf(await kinesalite.ask(asked))];
        const { __type: kind = 'accepted' } = ours as { readonly __type?: string };
        seen.set(kind, (seen.get(kind) ?? 0) + 1);
        const different = mistakesOf(passes(ours as never), { status: 200, headers: {}, body: theirs });
        if (different.length > 0) throw new Error(different.join('; '));
      }),
      { seed, numRuns: runs },
    );
    t.comment([...seen].map(([kind, count]) => `${kind} ${count}`).join(', '));
    const kinds = ['accepted', 'SerializationException', 'ValidationException', 'InvalidArgumentException'];
    for (const kind of kinds) t.ok((seen.get(kind) ?? 0) > 0, `${kind} was among the verdicts`);
  });
}
