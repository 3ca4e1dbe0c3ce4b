import t from 'tap';
import { LetGoLog } from '../../src/daemon/let-go-log.ts';
import { createLog } from '../../src/observe/log.ts';

t.test('letting connections go is one line when it begins, and one with their number when it has ended', async (t) => {
  const lines: object[] = [];
  let nowMs = 0;
  const log = createLog({
    level: 'info',
    nowMs: () => nowMs,
    write: (line) => void lines.push(JSON.parse(line) as object),
  });
  const letGo = new LetGoLog(log, '/run/s.sock', () => nowMs);
  letGo.look();
  for (; nowMs < 30_000; nowMs += 1_000) {
    if (nowMs < 15_000) letGo.letGo();
    letGo.look();
  }
  letGo.letGo();
  const listener = '/run/s.sock';
  t.match(lines, [
    { kind: 'listener', listener, state: 'letting_go', code: 'overloaded' },
    { kind: 'listener', listener, state: 'let_go', connections: 15 },
    { kind: 'listener', listener, state: 'letting_go' },
  ]);
  t.equal(lines.length, 3);
});
