import t from 'tap';
import { openFrameSender } from '../../src/client/frame-sender.ts';
import { until } from '../daemon/running.ts';
import { listenForTest } from '../ingress/unix-harness.ts';

t.test('what is given to a sender whose connection is lost counts as nothing that was sent', async (t) => {
  const { path, listener } = await listenForTest(t);
  const sender = await openFrameSender({ path }, { retriesMax: 0, sleep: () => Promise.resolve() });
  sender.send(undefined, Buffer.from('one'), { file: 'f', line: 1 });
  await listener.close({ drainMs: 0 });
  const isLost = (): Promise<boolean> =>
    sender.room().then(
      () => false,
      () => true,
    );
  await until(isLost, (lost) => lost);
  t.throws(() => sender.send(undefined, Buffer.from('two'), { file: 'f', line: 2 }));
  const { events, accepted, refused, unknown } = sender.tally;
  t.equal(events, 1);
  t.equal(accepted + refused + unknown, events, 'each event has one outcome');
});
