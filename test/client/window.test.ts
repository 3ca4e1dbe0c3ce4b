import t from 'tap';
import { Window } from '../../src/client/window.ts';

t.test('an ack frees the bytes of the blocks that it covers whole', async (t) => {
  const window = new Window();
  for (const bytes of [10, 20]) window.add(bytes);
  window.mark();
  for (const bytes of [30, 40]) window.add(bytes);
  window.mark();
  window.add(50);
  t.equal(window.unackedBytes, 150);
  t.ok(window.ack(1));
  t.equal(window.unackedBytes, 150, 'half a block is not freed');
  t.ok(window.ack(3));
  t.equal(window.unackedBytes, 120);
  t.equal(window.unacked, 2);
  t.ok(window.ack(5));
  t.equal(window.unackedBytes, 0, 'also what no mark is behind');
});

t.test('an ack that goes back, or beyond what was sent, is none', async (t) => {
  const window = new Window();
  window.add(1);
  window.add(1);
  t.ok(window.ack(2));
  t.notOk(window.ack(1));
  t.notOk(window.ack(3));
  t.equal(window.acked, 2);
});
