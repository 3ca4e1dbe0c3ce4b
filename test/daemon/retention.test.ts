import t from 'tap';
import { checkLogLine } from '../../src/observe/log-check.ts';
import { type Ledger, Rig, until } from './running.ts';

const balances = ({ accepted, recovered, delivered, inFlight, dlq, dropped }: Ledger): boolean =>
  accepted + recovered === delivered + inFlight + dlq + dropped;

const limits = '[dlq]\nmax_bytes = "2MiB"\nsegment_bytes = "64KiB"\n';
const small = 'record_bytes_max = "32KiB"\naggregate_bytes = "32KiB"';
const breaker = '[breaker]\nfailures = 1\nhalf_open_after = "100ms"\n';

t.test(
  'with when_full = "drop-oldest" nobody is refused; the oldest are dropped, and the books are exact',
  async (t) => {
    const rig = await Rig.start(t);
    const daemon = await rig.daemon(small, `${limits}when_full = "drop-oldest"\n${breaker}`);
    await rig.simulator.faults({ refuse: true });
    const first = 1_000;
    await rig.send(daemon.socket, 0, first);
    await daemon.line(({ kind, breaker: which, to }) => kind === 'breaker' && which === 'lane' && to === 'open');
    const count = 60_000;
    t.match(await rig.send(daemon.socket, first, count), { accepted: count - first, refused: 0 });
    const full = await until(() => daemon.ledger(), balances);
    t.ok(full.dropped > 10_000, `${full.dropped} dropped`);
    t.ok(rig.spilledBytes() <= 2 * 1024 ** 2);
    const told = daemon.log.filter(({ event }) => event === 'dropped');
    t.match(told[0], { level: 'warn', kind: 'dlq', reason: 'drop_oldest', stream: 'orders' });
    t.strictSame(
      told.flatMap((line) => checkLogLine(line)),
      [],
    );
    await rig.simulator.faults({});
    const end = await until(
      () => daemon.ledger(),
      (ledger) => balances(ledger) && ledger.dlq === 0 && ledger.inFlight === 0,
    );
    t.equal(end.delivered + end.dropped, count);
    const { droppedByReason } = (await daemon.status()).dlq;
    t.strictSame(droppedByReason, { max_age: 0, drop_oldest: end.dropped, damaged: 0 });
    const { lost, duplicated } = (await rig.readBack(count)).counts();
    t.strictSame({ lost, duplicated }, { lost: end.dropped, duplicated: 0 }, 'what is not there was dropped');
    t.equal((await rig.readBack(count)).counts(count - 1_000).lost, 0, 'the youngest are all there');
    t.equal(await daemon.stop(), 0);
  },
);

t.test(
  'with max_age what Kinesis did not take in time is dropped, what it can have in time is delivered',
  async (t) => {
    const rig = await Rig.start(t);
    const daemon = await rig.daemon('deadline = "300ms"', `[dlq]\nmax_age = "2s"\n${breaker}`);
    await rig.simulator.faults({ refuse: true });
    await rig.send(daemon.socket, 0, 5_000);
    const old = await until(
      () => daemon.ledger(),
      ({ inFlight, dlq }) => inFlight === 0 && dlq === 0,
    );
    t.match(old, { accepted: 5_000, delivered: 0, dropped: 5_000 });
    await rig.send(daemon.socket, 5_000, 6_000);
    await rig.simulator.faults({});
    const end = await until(
      () => daemon.ledger(),
      ({ delivered, dropped }) => delivered + dropped === 6_000,
    );
    t.match(end, { inFlight: 0, dlq: 0 });
    const oracle = await rig.readBack(6_000);
    t.strictSame(oracle.counts(5_000), { lost: 0, duplicated: 0, altered: 0 });
    t.equal(oracle.counts().lost, end.dropped);
    t.equal(await daemon.stop(), 0);
  },
);
