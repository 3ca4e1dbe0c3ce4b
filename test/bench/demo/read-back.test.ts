import { readFileSync } from 'node:fs';
import t from 'tap';
import { Flights } from '../../../bench/demo/flights.ts';
import { ReadBack } from '../../../bench/demo/read-back.ts';

/** The dataset, read in another way. */
const file = new URL('../data/flights-200k.json', import.meta.resolve('vega-datasets'));
const source = JSON.parse(readFileSync(file, 'utf8')) as readonly object[];

const events = 2_000;
const flights = new Flights(events);

/** What a consumer gets when all is well. */
function delivered(): { data: string; partitionKey: string }[] {
  return Array.from({ length: events }, (_, n) => {
    const { key, data } = flights.event(n);
    return { data: Buffer.from(data).toString('base64'), partitionKey: key };
  });
}

function found(stream: readonly { data: string; partitionKey: string }[]) {
  const readBack = new ReadBack(flights, events);
  for (const event of stream) readBack.add(event);
  return readBack.found;
}

t.test(
  'events are rows of the dataset behind their number, over the whole day, with the distance as their key',
  async (t) => {
    for (const n of [0, 777, events - 1]) {
      const { key, data } = flights.event(n);
      const row = JSON.parse(data) as Record<string, number>;
      t.strictSame(Object.keys(row), ['n', 'delay', 'distance', 'time']);
      t.equal(row['n'], n);
      t.equal(key, String(row['distance']));
    }
    const all = new Flights(source.length);
    for (const n of [0, 1, 123_456, source.length - 1]) {
      t.strictSame(JSON.parse(all.event(n).data), { n, ...source[n] });
    }
    t.match([flights.clock(0), flights.clock(events - 1)], [/^00:/, /^23:/]);
    t.equal(new Flights(600_000).event(599_999).data.replace('599999', '1999').slice(0, 9), '{"n":1999');
  },
);

t.test('an unharmed stream is found to be so, in any order', async (t) => {
  t.strictSame(found(delivered().toReversed()), { read: events, lost: 0, altered: 0, duplicates: 0 });
});

t.test('every kind of harm is found, and counted', async (t) => {
  const stream = delivered();
  const [first, second, third] = stream.splice(0, 3) as [(typeof stream)[0], (typeof stream)[0], (typeof stream)[0]];
  const changed = Buffer.from(second.data, 'base64').toString().replace('"delay":', '"delay":1');
  const harmed = [
    ...stream,
    { data: Buffer.from(changed).toString('base64'), partitionKey: second.partitionKey },
    { ...third, partitionKey: `${third.partitionKey}0` },
    { data: Buffer.from('not ours').toString('base64'), partitionKey: 'x' },
    { data: Buffer.from(`{"n":${events},"delay":0}`).toString('base64'), partitionKey: 'x' },
    stream[0],
    stream[0],
  ] as typeof stream;
  t.strictSame(found(harmed), { read: events + 3, lost: 3, altered: 4, duplicates: 2 });
  t.equal(found([...stream, first, second, third]).lost, 0);
});
