import { stripVTControlCharacters } from 'node:util';
import t from 'tap';
import { Screen, type Terminal } from '../../../bench/demo/screen.ts';

/** A terminal that keeps what is written to it. */
function terminal(facts: Partial<Terminal>): Terminal & { text: string } {
  return {
    text: '',
    write(text: string) {
      this.text += text;
    },
    ...facts,
  };
}

/** What stands on the screen after `text`: the part of each line behind its last carriage return. */
function shown(text: string): string[] {
  return text.split('\n').map((line) => stripVTControlCharacters(line.slice(line.lastIndexOf('\r') + 1)));
}

t.test('on a terminal the living line stays at the bottom, within the width, and goes without a trace', async (t) => {
  const tty = terminal({ isTTY: true, columns: 40, hasColors: () => true });
  const screen = new Screen(tty);
  screen.live(100, 'one');
  screen.live(200, `two ${'x'.repeat(100)}`);
  screen.event(250, 'chapter', 'begins', 'bold');
  t.strictSame(shown(tty.text), ['   0.3 s  chapter   begins', `   0.2 s  two ${'x'.repeat(25)}`]);
  screen.still();
  screen.print('end');
  t.strictSame(shown(tty.text), ['   0.3 s  chapter   begins', 'end', '']);
});

t.test('piped, the living line is printed once a second', async (t) => {
  const pipe = terminal({});
  const screen = new Screen(pipe);
  for (let ms = 0; ms < 3_000; ms += 100) screen.live(ms, `at ${ms}`);
  t.equal(pipe.text, '   0.0 s  at 0\n   1.0 s  at 1000\n   2.0 s  at 2000\n');
});

t.test('a terminal without colours gets none, and a closed screen writes nothing', async (t) => {
  const plain = terminal({ isTTY: true, hasColors: () => false });
  const screen = new Screen(plain);
  t.equal(screen.style('red', 'x'), 'x');
  const colored = new Screen(terminal({ isTTY: true, hasColors: () => true }));
  t.equal(colored.style('red', 'x'), '\u001b[31mx\u001b[39m');
  screen.close();
  screen.print('x');
  screen.live(0, 'x');
  t.equal(plain.text, '');
});
