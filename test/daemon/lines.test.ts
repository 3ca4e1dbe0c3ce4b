import t from 'tap';
import { lineOf, linesOf } from '../../src/daemon/lines.ts';

const lines = linesOf(`# a comment
[daemon]            # 2
lanes = 2
text = """
lanes = 3
[log]
"""
list = [
  "]", # ] in a comment
  ["daemon"],
]
after = 1           # 12
[[stream]]
name = "a"
"quoted" = 1
[[ stream ]]
  name = "b"        # 17
breaker.open_at = 1
inline = { open_at = 0.5 }
`);

t.test('tables, arrays of tables and their keys have their lines', async (t) => {
  t.equal(lineOf(lines, 'daemon'), 2);
  t.equal(lineOf(lines, 'daemon.lanes'), 3);
  t.equal(lineOf(lines, 'stream.0.name'), 14);
  t.equal(lineOf(lines, 'stream.0.quoted'), 15);
  t.equal(lineOf(lines, 'stream.1'), 16);
  t.equal(lineOf(lines, 'stream.1.name'), 17);
  t.equal(lineOf(lines, 'stream.1.breaker.open_at'), 18);
});

t.test('what stands inside a multi-line string, a list or a comment is not taken for a key or a table', async (t) => {
  t.equal(lineOf(lines, 'log'), undefined);
  t.equal(lineOf(lines, 'daemon.after'), 12);
});

t.test('what has no line of its own is found where its holder stands', async (t) => {
  t.equal(lineOf(lines, 'stream.1.inline.open_at'), 19);
  t.equal(lineOf(lines, 'daemon.absent'), 2);
  t.equal(lineOf(lines, 'nothing'), undefined);
});

t.test('lines of Windows count as lines', async (t) => {
  t.equal(lineOf(linesOf('[daemon]\r\nlanes = 1\r\n'), 'daemon.lanes'), 2);
});
