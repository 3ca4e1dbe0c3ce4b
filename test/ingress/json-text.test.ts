import t from 'tap';
import { charactersOf } from '../../src/ingress/json-text.ts';

t.test('characters are counted as UTF-16 would, which is never less than any other count', async (t) => {
  for (const text of ['', 'k', 'é€', '😀', 'a😀\u{10ffff}\uffff', '\0"\\', '\ufeffk']) {
    t.equal(charactersOf(Buffer.from(text)), text.length, JSON.stringify(text));
  }
});
