import t from 'tap';
import * as limits from '../../src/base/limits.ts';

t.test('a request holds the largest event and the largest aggregate', async (t) => {
  t.ok(limits.eventBytesMax <= limits.requestBytesMax);
  t.ok(limits.aggregateBytesMax <= limits.requestBytesMax);
  t.ok(limits.eventBytesDefault <= limits.eventBytesMax);
});

t.test('an aggregate fits into a record of a stream whose limit was never raised', async (t) => {
  t.ok(limits.aggregateBytesMax <= limits.eventBytesDefault);
});

t.test('a key of the most characters in the longest encoding fits its room', async (t) => {
  t.equal(Buffer.byteLength('\u{10ffff}'.repeat(limits.partitionKeyCharsMax)), limits.partitionKeyBytesMax);
});

t.test('what JSON adds to a record stays within what memory is planned with, whatever the key', async (t) => {
  const data = Buffer.alloc(1000);
  const record = { Data: data.toString('base64'), PartitionKey: '\u0001'.repeat(256), ExplicitHashKey: '9'.repeat(39) };
  const added = Buffer.byteLength(`,${JSON.stringify(record)}`) - data.length * limits.base64Expansion;
  t.ok(added <= limits.recordEnvelopeBytesMax, `${added} bytes`);
  t.ok(added > limits.recordEnvelopeBytesMax - 64, 'and the bound is not idle');
});
