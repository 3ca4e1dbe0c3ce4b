import t from 'tap';
import { judge } from './delivery-oracle.ts';
import { worldOf } from './delivery-world.ts';

const seed = Number(process.env['SEED'] ?? 20_261_125);
const worlds = Number(process.env['DELIVERY_WORLDS'] ?? 120);
t.comment(`seed ${seed}`);

t.test(
  'whatever happens: none lost, none doubled without cause, keys in order, no request too many, no end of waiting',
  async (t) => {
    let events = 0;
    let requests = 0;
    let longestMs = 0;
    for (let world = seed; world < seed + worlds; world++) {
      const { run, broken, tookMs } = await judge(worldOf(world));
      t.strictSame(broken.slice(0, 5), [], `SEED=${world} DELIVERY_WORLDS=1`);
      events += run.fates.length;
      requests += run.kinesis.requests;
      longestMs = Math.max(longestMs, tookMs);
    }
    t.comment(`${events} events, ${requests} requests; healed after ${Math.round(longestMs)} ms at the latest`);
  },
);
