import fc from 'fast-check';
import t, { type Test } from 'tap';
import { Breaker, BreakerState, breakerStateNames } from '../../src/breaker/breaker.ts';

const seed = Number(process.env['SEED'] ?? 20_261_125);
t.comment(`seed ${seed}`);

/** A breaker that waits 100 to 800 ms, and what became of it, as "closed>open cause". */
function breakerOf(t: Test, share?: () => number): { breaker: Breaker; moves: string[] } {
  const moves: string[] = [];
  const options = { waitMs: 100, waitMsMax: 800, ...(share === undefined ? {} : { share }) };
  const breaker = new Breaker(options, (from, to, cause) => {
    t.equal(breaker.state, to, 'it is told after the change');
    moves.push(`${breakerStateNames[from]}>${breakerStateNames[to]} ${cause}`);
  });
  return { breaker, moves };
}

t.test('it opens, lets one probe pass after its wait, and closes when that succeeds', async (t) => {
  const { breaker, moves } = breakerOf(t);
  t.equal(breaker.waitLeftMs(0), 0);
  breaker.trip(1_000, 'saturated');
  breaker.trip(1_050, 'again');
  t.equal(breaker.waitLeftMs(1_040), 60, 'a second trip does not prolong it');
  t.notOk(breaker.tryProbe(1_099, 'early'));
  t.ok(breaker.tryProbe(1_100, 'waited'));
  t.notOk(breaker.tryProbe(1_100, 'a second'));
  breaker.trip(1_110, 'while half open');
  breaker.succeed('answered');
  breaker.succeed('once more');
  t.strictSame(moves, ['closed>open saturated', 'open>half_open waited', 'half_open>closed answered']);
});

t.test('each failed probe doubles the wait up to the most; a new opening begins with the least', async (t) => {
  const { breaker } = breakerOf(t);
  let nowMs = 0;
  breaker.trip(nowMs, 'down');
  const waits: number[] = [];
  for (let i = 0; i < 6; i++) {
    const waitMs = breaker.waitLeftMs(nowMs);
    waits.push(waitMs);
    nowMs += waitMs;
    breaker.tryProbe(nowMs, 'waited');
    breaker.fail(nowMs, 'down');
  }
  t.strictSame(waits, [100, 200, 400, 800, 800, 800]);
  nowMs += 800;
  breaker.tryProbe(nowMs, 'waited');
  breaker.succeed('up');
  breaker.trip(nowMs, 'down');
  t.equal(breaker.waitLeftMs(nowMs), 100);
});

t.test('a failure while open starts the wait anew and does not lengthen it; closed, it is of no account', async (t) => {
  const { breaker, moves } = breakerOf(t);
  breaker.fail(0, 'early');
  t.strictSame(moves, []);
  breaker.trip(1_000, 'down');
  breaker.fail(1_090, 'a straggler');
  t.equal(breaker.waitLeftMs(1_090), 100);
});

t.test(
  'jitter shortens each wait by up to half, drawn anew each time, and what it doubles is not the shortened',
  async (t) => {
    const draws = [0, 0.5, 0.999_999, 0.2];
    const { breaker } = breakerOf(t, () => draws.shift() as number);
    const waits: number[] = [];
    let nowMs = 0;
    breaker.trip(nowMs, 'down');
    for (let i = 0; i < 4; i++) {
      const waitMs = breaker.waitLeftMs(nowMs);
      waits.push(Math.round(waitMs));
      nowMs += waitMs;
      breaker.tryProbe(nowMs, 'waited');
      if (i < 3) breaker.fail(nowMs, 'down');
    }
    t.strictSame(waits, [100, 150, 200, 720]);
  },
);

t.test('whatever it is told: no probe before half its least wait, none later than its longest', async (t) => {
  const told = fc.record({
    what: fc.constantFrom('trip', 'fail', 'succeed', 'probe'),
    afterMs: fc.nat(900),
    share: fc.double({ min: 0, max: 0.999, noNaN: true }),
  });
  const property = (): void =>
    fc.assert(
      fc.property(fc.array(told, { maxLength: 40 }), (steps) => {
        let nowMs = 0;
        let share = 0;
        const breaker = new Breaker({ waitMs: 100, waitMsMax: 800, share: () => share }, () => {});
        let sinceMs = 0;
        for (const step of steps) {
          nowMs += step.afterMs;
          share = step.share;
          const before = breaker.state;
          if (step.what === 'trip') breaker.trip(nowMs, '');
          else if (step.what === 'fail') breaker.fail(nowMs, '');
          else if (step.what === 'succeed') breaker.succeed('');
          else if (breaker.tryProbe(nowMs, '') && nowMs - sinceMs < 50) return false;
          if (step.what === 'probe' && before === BreakerState.open && nowMs - sinceMs >= 800) {
            if (breaker.state !== BreakerState.halfOpen) return false;
          }
          const isBegun = breaker.state === BreakerState.open && (before !== BreakerState.open || step.what === 'fail');
          if (isBegun) sinceMs = nowMs;
        }
        return true;
      }),
      { seed },
    );
  t.doesNotThrow(property);
});
