import { once } from 'node:events';
import { createConnection } from 'node:net';
import t from 'tap';
import { AnswerReader } from '../../src/client/answers.ts';
import {
  AckLevel,
  encodeBare,
  encodeEvent,
  encodeHello,
  HelloFlag,
  protocolVersion,
  SenderFrame,
} from '../../src/ingress/frame-layout.ts';
import { Rig, until } from './running.ts';

t.test('a sender that does not read its receipts is not read from, and hears all of them when it does', async (t) => {
  const rig = await Rig.start(t);
  const daemon = await rig.daemon('linger = "5ms"', '[breaker]\nopen_after = "1m"\n');
  const raw = createConnection({ path: daemon.socket });
  t.teardown(() => raw.destroy());
  raw.pause();
  raw.write(encodeHello('', AckLevel.stream, protocolVersion, HelloFlag.receipts));
  const count = 400_000;
  for (let i = 0; i < count; i += 1_000) {
    raw.write(
      Buffer.concat(
        Array.from({ length: 1_000 }, (_, j) => encodeEvent(rig.events.keyOf(i + j), rig.events.dataOf(i + j))),
      ),
    );
  }
  raw.write(encodeBare(SenderFrame.bye));
  let received = -1;
  await until(
    async () => {
      const before = received;
      await new Promise((resolve) => setTimeout(resolve, 500));
      ({ received } = await daemon.ledger());
      return received === before;
    },
    (still) => still && received > 0,
  );
  t.ok(received < count, `${received} of ${count} were read`);
  t.match(await rig.send(daemon.socket, 0, 1_000), { accepted: 1_000 }, 'others are served');
  let acked = 0;
  let next = 1;
  const reader = new AnswerReader({
    onHello: () => {},
    onAck: (number) => {
      acked = number;
    },
    onRefusal: (refused) => t.fail(JSON.stringify(refused)),
    onReceipt: ({ first, count: run, record }) => {
      if (first !== next || record === undefined) t.fail(`receipt of ${first}, not of ${next}`);
      next = first + run;
    },
    onBreaker: () => {},
    onError: (error) => t.fail(error.message),
  });
  raw.on('data', (chunk: Buffer) => reader.push(chunk));
  raw.resume();
  await once(raw, 'end');
  t.equal(acked, count);
  t.equal(next, count + 1, 'a receipt of each, in order');
  t.equal(await daemon.stop(), 0);
});
