import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';
import t from 'tap';
import { aggregatePlaceBytes } from '../../src/base/limits.ts';
import { Aggregate } from '../../src/batch/aggregate.ts';
import { KeyTable } from '../../src/batch/key-table.ts';
import { Md5Group } from '../../src/batch/md5-group.ts';
import { createArena } from '../../src/ring/arena.ts';
import { entry } from '../../src/ring/layout.ts';
import { unpackAsConsumer } from '../../src/simulator/consumer.ts';
import { RingEntries } from './ring-entries.ts';

const bytesMax = 64 * 1024;

/** One aggregate, and functions that add an event to it and close it. */
function setUp(): {
  add: (key: string, data: string, hashKey?: Buffer) => boolean;
  close: () => Buffer;
  count: () => number;
} {
  const arena = createArena(4 * 1024 * 1024);
  const keys = new KeyTable(arena, 64);
  // The first page is nobody's, here as in the daemon.
  const md5 = new Md5Group(arena, 0);
  const aggregate = new Aggregate(arena, 65_536, bytesMax);
  aggregate.open(0, 1, Number.POSITIVE_INFINITY);
  const entries = new RingEntries(arena, 65_536 + ((aggregatePlaceBytes(bytesMax) + 127) & -128));
  const add = (key: string, data: string, hashKey?: Buffer): boolean => {
    const offset = entries.write(key, data, hashKey);
    const keyOffset = offset + entry.payload + (hashKey?.length ?? 0);
    return aggregate.add(offset, keys, keys.find(keyOffset, Buffer.byteLength(key)));
  };
  const close = (): Buffer => {
    aggregate.close();
    aggregate.enterMd5(md5);
    md5.digest();
    const { recordOffset, recordLength } = aggregate;
    return Buffer.from(arena.buffer.subarray(recordOffset, recordOffset + recordLength));
  };
  return { add, close, count: () => aggregate.count };
}

t.test('the bytes are those of the KPL, to the last one', async (t) => {
  const { add, close } = setUp();
  add('10', 'ten');
  add('2', 'two');
  add('abc', 'abc');
  add('x', 'ehk0', Buffer.alloc(16));
  add('10', 'ten-again');
  t.equal(
    close().toString('hex'),
    'f3899ac20a0231300a01320a036162630a01781201301a0708001a0374656e1a0708011a0374776f1a0708021a036162631a0a080310001a0465686b301a0d08001a0974656e2d616761696e12370df688c1dd84ce04001e1b8a12c5',
  );
});

t.test('protobufjs and an independent decoder read back what went in, for random events', async (t) => {
  const seed = Number(process.env['SEED'] ?? 20_261_124);
  t.comment(`SEED=${seed}`);
  let state = seed;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const root = protobuf.parse(readFileSync(new URL('../../../test/batch/kpl.proto', import.meta.url), 'utf8')).root;
  const type = root.lookupType('AggregatedRecord');
  for (let round = 0; round < 200; round++) {
    const { add, close, count } = setUp();
    const sent: { key: string; data: string }[] = [];
    const size = 1 + random(300);
    for (let i = 0; i < 2 + random(400); i++) {
      const key = `k${random(50)}`.repeat(1 + random(30)).slice(0, 256);
      const data = 'x'.repeat(random(size));
      if (!add(key, data)) break;
      sent.push({ key, data });
    }
    t.equal(count(), sent.length);
    const record = close();
    t.ok(record.length <= bytesMax + 1, 'the record keeps its size');
    const message = type.toObject(type.decode(record.subarray(4, -16))) as {
      partitionKeyTable: string[];
      records: { partitionKeyIndex: number; data: Uint8Array }[];
    };
    const decoded = message.records.map(({ partitionKeyIndex, data }) => ({
      key: message.partitionKeyTable[partitionKeyIndex],
      data: Buffer.from(data).toString(),
    }));
    t.strictSame(decoded, sent);
    const { events } = unpackAsConsumer(record, 'a', undefined, 0n, (1n << 128n) - 1n);
    t.strictSame(
      events.map(({ partitionKey, data }) => ({ key: partitionKey, data: data.toString() })),
      sent,
    );
  }
});
