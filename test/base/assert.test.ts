import t from 'tap';
import { assert } from '../../src/base/assert.ts';

t.test('a failed assertion throws and says what was violated', async (t) => {
  t.throws(() => assert(false, 'head is behind tail'), { message: 'assertion failed: head is behind tail' });
  t.doesNotThrow(() => assert(true, 'fine'));
});
