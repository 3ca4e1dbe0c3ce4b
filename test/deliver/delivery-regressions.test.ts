import t, { type Test } from 'tap';
import { judge, type Verdict } from './delivery-oracle.ts';
import { quietWorld, type World, worldOf } from './delivery-world.ts';
import { noFaults } from './model-request.ts';

/** Small worlds in which the delivery once went wrong. Each is run from a few seeds, as latencies decide who meets whom. */
async function holds(t: Test, changed: Partial<World>, seeds = 12): Promise<readonly Verdict[]> {
  const verdicts: Verdict[] = [];
  for (let seed = 1; seed <= seeds; seed++) verdicts.push(await judge(quietWorld({ ...changed, seed })));
  t.strictSame(
    verdicts.flatMap(({ broken }) => broken.slice(0, 2)),
    [],
  );
  return verdicts;
}

t.test('an ordered stream that was under AUTO goes on when it is not any more', async (t) => {
  const changes = [{ atMs: 250, change: 'auto' } as const];
  const verdicts = await holds(t, { ordering: 'key', changes, healMs: 5_000, lingerMs: 90 });
  t.ok(verdicts.some(({ run }) => run.log.some((line) => line.includes('keeps no order'))));
});

t.test('an open breaker lets nothing pass but its probes', async (t) => {
  const faults = { ...noFaults, requestFailed: 1 };
  for (const { run } of await holds(t, { faults, healMs: 3_000, failures: 1, lingerMs: 60 })) {
    const opened = run.log.findIndex((line) => line.includes('breaker 0>1'));
    let isOpen = false;
    const passed: string[] = [];
    for (const line of run.log.slice(opened)) {
      if (/breaker \d>1/.test(line)) isOpen = true;
      else if (/breaker \d>/.test(line)) isOpen = false;
      else if (isOpen && line.includes(' put ')) passed.push(line);
    }
    t.strictSame(passed, []);
  }
});

t.test(
  'an outage, however long, is asked by probes without events, and ends with the first that is answered',
  async (t) => {
    const changes = [{ atMs: 250, change: 'outage' } as const];
    for (const { run } of await holds(t, { changes, healMs: 25_000 })) {
      const opened = run.log.findIndex((line) => line.includes('breaker 0>1'));
      const answered = run.log.findIndex(
        (line) => line.includes('probed ValidationException') || line.includes('probed well'),
      );
      t.ok(opened >= 0 && answered > opened);
      const outage = run.log.slice(opened, answered);
      t.strictSame(
        outage.filter((line) => line.includes(' put ')),
        [],
      );
      // Every 2 s at the least, and twice as often by the jitter at the most.
      const probes = outage.filter((line) => line.includes('probed ServiceUnavailableException')).length;
      t.ok(probes >= 10 && probes <= 30, `${probes} probes`);
    }
  },
);

t.test('a lane whose requests are all out waits for an answer, and does not spin until it comes', async (t) => {
  await holds(t, { batches: 2, batchRecords: 2, faults: { ...noFaults, answerLate: 1, recordFailed: 0.2 } });
  await holds(t, { ordering: 'key', batches: 2, batchRecords: 2, faults: { ...noFaults, answerLate: 1 } });
});

t.test(
  'a stream that was deleted and made anew loses no aggregate to shards that have the ids of the old ones',
  async (t) => {
    const changes = [
      { atMs: 350, change: 'delete' },
      { atMs: 1_500, change: 'create' },
    ] as const;
    for (const shards of [1, 2]) await holds(t, { shards, changes, healMs: 3_000 });
  },
);

t.test(
  'every shard that took a record is known when it is judged, closed or not: nothing is stored twice',
  async (t) => {
    const changes = Array.from({ length: 100 }, (_, i) => ({ atMs: 150 + 9 * i, change: 'split' as const }));
    const events = quietWorld({}).events.map((event) => ({ ...event, enterMs: 100 + 9 * event.number }));
    await holds(t, { shards: 1, events, changes, lingerMs: 5, healMs: 2_000 }, 40);
  },
);

t.test('an aggregate that was stored under AUTO is not taken for delivered because AUTO is over', async (t) => {
  const changes = [
    { atMs: 250, change: 'auto' },
    { atMs: 330, change: 'by_key' },
  ] as const;
  await holds(t, { shards: 3, changes, healMs: 2_000 }, 40);
});

t.test('a parking waits for the survey that tells what became of a record', async (t) => {
  const changes = [
    { atMs: 140, change: 'merge' },
    { atMs: 290, change: 'park' },
    { atMs: 440, change: 'split' },
  ] as const;
  await holds(t, { ordering: 'key', changes, healMs: 2_000 }, 30);
});

t.test('when a parking has waited long enough, nothing is sent that is given up in the same turn', async (t) => {
  // A request became due in the very turn: its moment is that of this seed.
  const { broken } = await judge(worldOf(5_939));
  t.strictSame(broken.slice(0, 2), []);
});
