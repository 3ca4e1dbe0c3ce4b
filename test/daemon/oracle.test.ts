import t from 'tap';
import { NumberedEvents } from './numbered-events.ts';
import { Oracle } from './oracle.ts';

const events = new NumberedEvents({ least: 40, most: 90 });
const line = (id: number): { data: string; partitionKey: string } => ({
  data: events.dataOf(id).toString('base64'),
  partitionKey: events.keyOf(id).toString(),
});

t.test('an oracle that got every event once finds nothing wrong', async (t) => {
  const oracle = new Oracle(new NumberedEvents({ least: 40, most: 90 }), 2_000);
  for (let id = 0; id < 2_000; id++) oracle.take(line(id));
  t.strictSame(oracle.counts(), { lost: 0, duplicated: 0, altered: 0 });
});

t.test('an oracle sees one lost, one doubled and one altered event among thousands', async (t) => {
  const oracle = new Oracle(events, 2_000);
  for (let id = 0; id < 2_000; id++) if (id !== 777) oracle.take(line(id));
  oracle.take(line(1_234));
  t.strictSame(oracle.counts(), { lost: 1, duplicated: 1, altered: 0 });
  t.strictSame(oracle.counts(700, 800), { lost: 1, duplicated: 0, altered: 0 });
});

t.test('any altered byte of data or key, and any event that nobody sent, counts as altered', async (t) => {
  const { data, partitionKey } = line(41);
  const bytes = Buffer.from(data, 'base64');
  for (let at = 0; at < bytes.length; at++) {
    const oracle = new Oracle(events, 100);
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] as number) ^ 1;
    oracle.take({ data: changed.toString('base64'), partitionKey });
    t.equal(oracle.altered, 1, `byte ${at}`);
    t.equal(oracle.seen[41], 0);
  }
  const oracle = new Oracle(events, 100);
  oracle.take({ data, partitionKey: 'user0042' });
  oracle.take({ data: bytes.subarray(0, -1).toString('base64'), partitionKey });
  oracle.take(line(100));
  oracle.take({ data: '', partitionKey });
  t.equal(oracle.altered, 4);
});
