import t from 'tap';
import { type LogLine, Rig, type Status, until } from './running.ts';

interface StreamStatus {
  readonly ledger: {
    readonly accepted: number;
    readonly delivered: number;
    readonly dlq: number;
    readonly inFlight: number;
  };
  readonly backlog: { readonly oldestMs: number };
  readonly dlq: { readonly spilled: number };
}

const ofStream = (status: Status, name: string): StreamStatus =>
  (status as unknown as { streams: Record<string, StreamStatus> }).streams[name] as StreamStatus;

const opened =
  (stream: string) =>
  (line: LogLine): boolean =>
    line.kind === 'breaker' && line['breaker'] === 'stream' && line['stream'] === stream && line['to'] === 'open';

t.test('spills of a stream that stays away for long do not hold back those of another', async (t) => {
  process.env['SPILLWAY_DAEMON_DRAIN_TIMEOUT'] = '200ms';
  const rig = await Rig.start(t);
  await rig.simulator.faults({ refuse: true });
  // Nobody listens on the discard port: this stream's breaker opens and stays so.
  const away = '[[stream]]\nname = "away"\nregion = "us-east-1"\nendpoint = "http://127.0.0.1:9"\n';
  const daemon = await rig.daemon(away, '[breaker]\nfailures = 1\n');
  const status = (): Promise<Status> => daemon.status();
  const lines = Array.from({ length: 3_000 }, (_, i) => JSON.stringify({ i })).join('\n');
  let posted = 0;
  const post = async (): Promise<Status> => {
    const { status: answer } = await fetch(`${daemon.url}/v1/streams/away/events`, { method: 'POST', body: lines });
    t.equal(answer, 202);
    posted += 3_000;
    return status();
  };
  await post();
  await daemon.line(opened('away'));
  // While its breaker is half open, for a probe, events enter the ring.
  await until(post, (now) => ofStream(now, 'away').dlq.spilled >= 3_000);
  await rig.send(daemon.socket, 0, 100);
  await daemon.line(opened('orders'));
  await rig.send(daemon.socket, 100, 5_000);
  await until(status, (now) => ofStream(now, 'orders').dlq.spilled > 0);
  await rig.simulator.faults({});
  const reached = await until(
    status,
    (now) => ofStream(now, 'orders').ledger.delivered === 5_000 && ofStream(now, 'orders').ledger.dlq === 0,
  );
  t.equal(ofStream(reached, 'orders').backlog.oldestMs, 0, 'it is told its own oldest event');
  const left = ofStream(reached, 'away');
  t.ok(left.ledger.delivered === 0 && left.backlog.oldestMs > 0, `the other waits: ${JSON.stringify(left)}`);
  t.equal(left.ledger.dlq + left.ledger.inFlight, posted);
  t.strictSame((await rig.readBack(5_000)).counts(), { lost: 0, duplicated: 0, altered: 0 });
  t.equal(await daemon.stop(), 0);
});
