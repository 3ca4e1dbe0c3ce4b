import t from 'tap';
import { signalsHeld } from './signals-held.ts';

t.test('fifty daemons that get SIGTERM under load at ack level disk end with 0, and lose nothing', async (t) => {
  await signalsHeld(t, 50, 'disk');
});
