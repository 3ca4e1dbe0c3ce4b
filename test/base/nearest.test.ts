import t from 'tap';
import { nearest } from '../../src/base/nearest.ts';

const keys = ['lanes', 'state_dir', 'memory_budget', 'drain_timeout'];

t.test('a slip of the finger finds the word that was meant', async (t) => {
  t.equal(nearest('lnaes', keys), 'lanes', 'two letters swapped');
  t.equal(nearest('lane', keys), 'lanes', 'one letter missing');
  t.equal(nearest('memroy_bugdet', keys), 'memory_budget');
});

t.test('another way of joining words is the same word', async (t) => {
  t.equal(nearest('stateDir', keys), 'state_dir');
  t.equal(nearest('drain-timeout', keys), 'drain_timeout');
});

t.test('a word that is near to none gets no suggestion', async (t) => {
  t.equal(nearest('colour', keys), undefined);
  t.equal(nearest('', keys), undefined);
  t.equal(nearest('lanes', []), undefined);
});
