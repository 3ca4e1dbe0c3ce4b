import t, { type Test } from 'tap';
import { judge } from './delivery-oracle.ts';
import { quietWorld } from './delivery-world.ts';

const lingerMs = 400;
const replayedLingerMsMax = 25;
/** Between two turns of a lane that has just taken something, and the hundredths that the model's clock adds. */
const turnMs = 2;

/** When each event is sent first, in ms; events come one by one at `enterMs`, and are live or replayed. */
async function sentAt(
  t: Test,
  events: readonly { readonly enterMs: number; readonly isReplayed: boolean }[],
  changed: { readonly lingerMs?: number; readonly retunedLingerMs?: number; readonly ordering?: 'none' | 'key' } = {},
): Promise<number[]> {
  const all = events.map((event, number) => ({ number, key: 'key', hashKey: undefined, dataBytes: 60, ...event }));
  const { run, broken } = await judge(quietWorld({ lingerMs, ...changed, events: all }));
  t.strictSame(broken, []);
  return all.map(({ number }) => {
    const line = run.log.find((one) => new RegExp(` put .*[[,]${number}[\\],]`).test(one));
    return Number(line?.split(' ')[0]);
  });
}

/** In the first moments the map of shards is not there yet. */
const quietMs = 1_000;

t.test('live events linger as long as their stream says, replayed ones hardly', async (t) => {
  for (const ordering of ['none', 'key'] as const) {
    const [live = 0] = await sentAt(t, [{ enterMs: quietMs, isReplayed: false }], { ordering });
    t.ok(live >= quietMs + lingerMs && live < quietMs + lingerMs + turnMs, `${ordering}: live at ${live} ms`);
    const [replayed = 0] = await sentAt(t, [{ enterMs: quietMs, isReplayed: true }], { ordering });
    const atMs = quietMs + replayedLingerMsMax;
    t.ok(replayed >= atMs && replayed < atMs + turnMs, `${ordering}: replayed at ${replayed} ms`);
  }
});

t.test('a live event leaves with the replayed ones behind it, and none waits for the next live one', async (t) => {
  const sent = await sentAt(t, [
    { enterMs: quietMs, isReplayed: false },
    { enterMs: quietMs + 100, isReplayed: true },
    { enterMs: quietMs + 110, isReplayed: false },
  ]);
  const atMs = quietMs + 100 + replayedLingerMsMax;
  for (const one of sent) t.ok(one >= atMs && one < atMs + turnMs, `at ${one} ms`);
});

t.test('a stream that lingers less than that lets replayed events linger no longer', async (t) => {
  const [replayed = 0] = await sentAt(t, [{ enterMs: quietMs, isReplayed: true }], { lingerMs: 5 });
  t.ok(replayed >= quietMs + 5 && replayed < quietMs + 5 + turnMs, `at ${replayed} ms`);
});

t.test('a linger that is taken over while the daemon runs holds for replayed events as well', async (t) => {
  for (const isReplayed of [false, true]) {
    const [sent = 0] = await sentAt(t, [{ enterMs: quietMs, isReplayed }], { retunedLingerMs: 5 });
    t.ok(sent >= quietMs + 5 && sent < quietMs + 5 + turnMs, `at ${sent} ms`);
  }
});
