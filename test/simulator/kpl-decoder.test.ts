import fc from 'fast-check';
import t from 'tap';
import { unpackAsConsumer } from '../../src/simulator/consumer.ts';
import { decodeAggregate } from '../../src/simulator/kpl-decoder.ts';
import { aggregateOf, enveloped, messageOf } from './aggregates.ts';

const seed = Number(process.env['SEED'] ?? 20_261_124);
const all = [0n, 2n ** 128n - 1n] as const;
const golden =
  'f3899ac20a0231300a01320a036162630a01781201301a0708001a0374656e1a0708011a0374776f1a0708021a036162631a0a080310001a0465686b301a0d08001a0974656e2d616761696e12370df688c1dd84ce04001e1b8a12c5';

t.test('the golden vector of the format is read', async (t) => {
  const read = decodeAggregate(Buffer.from(golden, 'hex'));
  t.strictSame(
    read?.map((event) => [event?.partitionKey, event?.explicitHashKey, event?.data.toString()]),
    [
      ['10', undefined, 'ten'],
      ['2', undefined, 'two'],
      ['abc', undefined, 'abc'],
      ['x', '0', 'ehk0'],
      ['10', undefined, 'ten-again'],
    ],
  );
});

t.test('aggregates that protobufjs wrote are read as they were meant', async (t) => {
  t.comment(`SEED=${seed}`);
  const parts = fc.record({
    keys: fc.array(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }), { minLength: 1, maxLength: 5 }),
    hashKeys: fc.array(fc.bigInt({ min: all[0], max: all[1] }).map(String), { minLength: 1, maxLength: 3 }),
    events: fc.array(
      fc.record(
        { key: fc.nat(6), hash: fc.nat(4), data: fc.string({ unit: 'grapheme', maxLength: 200 }) },
        { requiredKeys: ['key', 'data'] },
      ),
      { minLength: 1, maxLength: 40 },
    ),
  });
  let broken = 0;
  fc.assert(
    fc.property(parts, (made) => {
      const due = made.events.map(({ key, hash, data }) => {
        const partitionKey = made.keys[key];
        const explicitHashKey = hash === undefined ? undefined : made.hashKeys[hash];
        if (partitionKey === undefined || (hash !== undefined && explicitHashKey === undefined)) return null;
        return [partitionKey, explicitHashKey ?? '', data];
      });
      const read = decodeAggregate(aggregateOf(made))?.map((event) =>
        event === undefined ? null : [event.partitionKey, event.explicitHashKey ?? '', event.data.toString()],
      );
      if (JSON.stringify(read) !== JSON.stringify(due))
        throw new Error(`${JSON.stringify(read)}, not ${JSON.stringify(due)}`);
      const first = due.indexOf(null);
      if (first >= 0) broken++;
      const { events, dropped } = unpackAsConsumer(aggregateOf(made), 'a', undefined, ...all);
      const kept = first < 0 ? due.length : first;
      if (events.length !== kept || dropped !== due.length - kept)
        throw new Error(`${events.length} kept, ${dropped} lost`);
    }),
    { seed, numRuns: 300 },
  );
  t.ok(broken > 0, `${broken} of 300 had an event that points nowhere`);
});

t.test('a message that ends too early, or lacks what it must have, is a plain record', async (t) => {
  const message = messageOf({ keys: ['a'], events: [{ key: 0, data: 'some data' }] });
  for (let length = 1; length < message.length; length++) {
    // Cut between two fields, it is the shorter message of the first ones: an aggregate of nothing.
    const due = length === 3 ? [] : undefined;
    t.strictSame(decodeAggregate(enveloped(message.subarray(0, length))), due, `${length} of ${message.length} bytes`);
  }
  const hex = (text: string): Buffer => enveloped(Buffer.from(text, 'hex'));
  t.equal(decodeAggregate(hex('0a01611a021a00')), undefined, 'a record without a key');
  t.equal(decodeAggregate(hex('0a01611a020800')), undefined, 'a record without data');
  t.equal(decodeAggregate(hex('0003')), undefined, 'field number 0');
  t.equal(decodeAggregate(hex('0b')), undefined, 'a group');
  t.equal(decodeAggregate(hex('0affffffffffffffffffff01')), undefined, 'a number of eleven bytes');
});

t.test('fields that the schema does not know are skipped, whatever their type', async (t) => {
  const known = messageOf({ keys: ['a'], events: [{ key: 0, data: 'x' }] });
  const unknown = Buffer.from(`200529${'00'.repeat(8)}2a01612d${'00'.repeat(4)}0805`, 'hex');
  const read = decodeAggregate(enveloped(Buffer.concat([unknown, known, unknown])));
  t.match(read, [{ partitionKey: 'a' }]);
  t.equal(read?.length, 1);
});

t.test(
  'an explicit hash key that is no number breaks its event, a negative one lies outside every shard',
  async (t) => {
    const made = (hashKey: string) =>
      unpackAsConsumer(
        aggregateOf({
          keys: ['a'],
          hashKeys: [hashKey],
          events: [
            { key: 0, data: '1' },
            { key: 0, hash: 0, data: '2' },
          ],
        }),
        'a',
        undefined,
        ...all,
      );
    t.match(made('x'), { aggregate: true, events: [{ partitionKey: 'a' }], dropped: 1 });
    t.match(made('-5'), { aggregate: true, dropped: 2 });
    t.equal(made('-5').events.length, 0);
    t.match(made('5'), { aggregate: true, dropped: 0 });
  },
);

t.test('no bytes between magic and checksum make the decoder throw', async (t) => {
  t.comment(`SEED=${seed}`);
  const message = messageOf({
    keys: ['a', 'é'],
    hashKeys: ['0'],
    events: [
      { key: 0, data: 'x' },
      { key: 1, hash: 0, data: 'y'.repeat(200) },
    ],
  });
  const change = fc.tuple(fc.nat(message.length - 1), fc.nat(255));
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), fc.nat(message.length), (changes, length) => {
      const bytes = Buffer.from(message);
      for (const [at, byte] of changes) bytes[at] = byte;
      const { events, dropped } = unpackAsConsumer(enveloped(bytes.subarray(0, length)), 'k', undefined, ...all);
      if (events.length + dropped > message.length) throw new Error('more events than bytes');
    }),
    { seed, numRuns: 5_000 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => void decodeAggregate(enveloped(Buffer.from(bytes)))),
    { seed, numRuns: 5_000 },
  );
});
