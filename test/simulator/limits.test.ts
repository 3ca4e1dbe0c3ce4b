import t, { type Test } from 'tap';
import { simulatorFor } from './peers.ts';
import { type Answered, ask, type Wire } from './raw.ts';

/** The two ways of taking a PutRecords in JSON share no parser: each limit has to hold in both, and in CBOR. */
const modes: readonly (readonly [name: string, counting: boolean, wire: Wire])[] = [
  ['keeping', false, 'json'],
  ['keeping, CBOR', false, 'cbor'],
  ['counting', true, 'json'],
  ['counting, CBOR', true, 'cbor'],
];
const keeping = await simulatorFor(t, { streams: [{ name: 'orders' }, { name: 'large', maxRecordSizeInKiB: 10_240 }] });
const counting = await simulatorFor(t, {
  streams: [{ name: 'orders' }, { name: 'large', maxRecordSizeInKiB: 10_240 }],
  counting: true,
});
const mebibyte = 1024 ** 2;
const entry = (rest: object = {}): object => ({ PartitionKey: 'k', Data: Buffer.from('x'), ...rest });
type Put = (records: unknown, StreamName?: string) => Promise<Answered>;

function inEveryMode(claim: string, check: (t: Test, put: Put) => Promise<void>): void {
  for (const [name, counts, wire] of modes) {
    t.test(`${claim} (${name})`, async (t) => {
      const { url } = counts ? counting : keeping;
      await check(t, (Records, StreamName = 'orders') =>
        ask(url, { operation: 'PutRecords', body: { StreamName, Records }, wire }),
      );
    });
  }
}

const accepted = (t: Test, answered: Answered, count: number): void => {
  t.match(answered, { status: 200, body: { FailedRecordCount: 0 } });
  t.equal((answered.body as { Records: unknown[] }).Records.length, count);
};
const refused = (t: Test, answered: Answered, type: string, message: RegExp): void =>
  void t.match(answered, { status: 400, body: { __type: type, message } });

inEveryMode('500 records are taken, 501 and none are not', async (t, put) => {
  const records = Array.from({ length: 500 }, () => entry());
  accepted(t, await put(records), 500);
  refused(t, await put([...records, entry()]), 'ValidationException', /'records'.* less than or equal to 500/);
  refused(t, await put([]), 'ValidationException', /'records'.* greater than or equal to 1/);
});

inEveryMode('a request of 10 MiB is taken, keys included, and a byte more is not', async (t, put) => {
  const full = Array.from({ length: 10 }, () => entry({ Data: Buffer.alloc(mebibyte - 1) }));
  accepted(t, await put(full), 10);
  const more = [...full.slice(1), entry({ Data: Buffer.alloc(mebibyte - 1), PartitionKey: 'é' })];
  refused(t, await put(more, 'large'), 'InvalidArgumentException', /^Records size exceeds 10 MB limit$/);
});

inEveryMode('a record of 1 MiB is taken, keys included, and a byte more is not', async (t, put) => {
  accepted(t, await put([entry({ Data: Buffer.alloc(mebibyte - 2), PartitionKey: 'é' })]), 1);
  const more = entry({ Data: Buffer.alloc(mebibyte - 1), PartitionKey: 'é' });
  refused(t, await put([more]), 'InvalidArgumentException', /^Record size of 1048577 bytes exceeds .* 1048576 bytes/);
  const data = entry({ Data: Buffer.alloc(mebibyte + 1) });
  const message =
    /^1 validation error detected: Value at 'records.2.member.data' failed .* less than or equal to 1048576$/;
  refused(t, await put([entry(), data]), 'ValidationException', message);
});

inEveryMode('a stream with a higher limit takes larger records', async (t, put) => {
  accepted(t, await put([entry({ Data: Buffer.alloc(10 * mebibyte - 1) })], 'large'), 1);
});

inEveryMode('keys have 1 to 256 characters', async (t, put) => {
  for (const PartitionKey of ['k', 'x'.repeat(256), 'é'.repeat(256)]) {
    accepted(t, await put([entry({ PartitionKey })]), 1);
  }
  const path = /Value '.*' at 'records.1.member.partitionKey'.* equal to /;
  for (const PartitionKey of ['', 'x'.repeat(257), 'x'.repeat(5_000)]) {
    refused(t, await put([entry({ PartitionKey })]), 'ValidationException', path);
  }
  refused(
    t,
    await put([{ Data: Buffer.from('x') }]),
    'ValidationException',
    /Value null at 'records.1.member.partitionKey'/,
  );
});

inEveryMode('hash keys are decimals from 0 to 2^128 - 1 without leading zeros', async (t, put) => {
  for (const ExplicitHashKey of ['0', '5', String(2n ** 128n - 1n)]) {
    accepted(t, await put([entry({ ExplicitHashKey })]), 1);
  }
  for (const ExplicitHashKey of ['', '00', '-1', '1e3', '1'.repeat(40)]) {
    refused(t, await put([entry({ ExplicitHashKey })]), 'ValidationException', /explicitHashKey.* regular expression/);
  }
  const ExplicitHashKey = String(2n ** 128n);
  refused(
    t,
    await put([entry(), entry({ ExplicitHashKey })]),
    'InvalidArgumentException',
    /^Invalid ExplicitHashKey\. /,
  );
});

inEveryMode('a record needs data, which may be empty', async (t, put) => {
  accepted(t, await put([entry({ Data: Buffer.alloc(0) })]), 1);
  refused(t, await put([{ PartitionKey: 'k' }]), 'ValidationException', /Value null at 'records.1.member.data'/);
});

inEveryMode('what the API does not know is ignored', async (t, put) => {
  accepted(t, await put([entry({ Unknown: { deep: [1, 'x', { Data: 'y' }] } })]), 1);
});

inEveryMode('a stream that is not there is not found', async (t, put) => {
  refused(
    t,
    await put([entry()], 'nope'),
    'ResourceNotFoundException',
    /^Stream nope under account 0{12} not found\.$/,
  );
});

for (const simulator of [keeping, counting]) {
  const name = simulator === counting ? 'counting' : 'keeping';
  t.test(`a body of more than 16 MiB is too large (${name})`, async (t) => {
    const body = `{"StreamName":"orders","Records":[{"PartitionKey":"k","Data":"${'A'.repeat(16 * mebibyte)}"}]}`;
    const answered = await ask(simulator.url, { operation: 'PutRecords', body });
    t.match(answered, { status: 413, body: { __type: 'RequestEntityTooLargeException' } });
  });

  t.test(`DryRun is honoured, and only where it stands (${name})`, async (t) => {
    const put = (body: object): Promise<Answered> =>
      ask(simulator.url, { operation: 'PutRecords', body: { StreamName: 'orders', ...body } });
    t.match(await put({ DryRun: true, Records: [entry()] }), {
      status: 400,
      body: { __type: 'DryRunOperationException' },
    });
    t.match(await put({ Records: [entry()], DryRun: true }), {
      status: 400,
      body: { __type: 'DryRunOperationException' },
    });
    t.equal((await put({ DryRun: false, Records: [entry()] })).status, 200);
    t.equal((await put({ Records: [entry({ DryRun: true })] })).status, 200);
  });
}
