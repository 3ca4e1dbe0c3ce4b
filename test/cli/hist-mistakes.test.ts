import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { CommanderError } from 'commander';
import t from 'tap';
import { hist, other, put } from './hist-here.ts';

const folder = mkdtempSync(join(tmpdir(), 'spillway-hist-'));
t.teardown(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string | Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

t.test('a missing file, a folder, and a damaged gzip are errors that name the file', async (t) => {
  const zipped = gzipSync(put.join('').repeat(50));
  const broken = file('broken.gz', zipped.subarray(0, zipped.length / 2));
  const sound = file('sound.ndjson', put.join(''));
  await t.rejects(hist([sound, join(folder, 'missing.log')]), {
    code: 'hist_file',
    message: /missing\.log: no such file/,
  });
  await t.rejects(hist([folder]), {
    code: 'hist_file',
    message: new RegExp(`${folder}: it is a folder; give the files in it`),
  });
  await t.rejects(hist([broken]), { code: 'hist_file', message: /broken\.gz: unexpected end of file/ });
  await t.rejects(hist(['--svg', join(folder, 'no', 'x.svg'), sound]), {
    code: 'hist_file',
    message: /--svg .*no such/,
  });
  await t.rejects(hist(['--hlog', join(folder, 'no', 'x.hlog'), sound]), {
    code: 'hist_file',
    message: /--hlog .*no such/,
  });
});

t.test('without any latency line the command fails and says what it saw', async (t) => {
  await t.rejects(hist([file('empty.log', '')]), {
    code: 'no_latency_lines',
    message: /^no latency line found: 0 latency/,
  });
  await t.rejects(hist([file('empty.gz', gzipSync(''))]), { code: 'no_latency_lines' });
  await t.rejects(hist([], Readable.from([Buffer.from(`${other}noise\n`)])), {
    message: /1 of other kinds, 1 not spillway's/,
  });
  const log = file('range.ndjson', put.join(''));
  await t.rejects(hist(['--until', '2020-01-01', log]), { message: /2 outside what was asked for/ });
});

t.test('what is no text, and a file that would be written over, are refused with the cure', async (t) => {
  const hist_ = (...args: string[]) => hist(args);
  const zstd = file('a.zst', Buffer.from('28b52ffd0000000000', 'hex'));
  await t.rejects(hist_(zstd), {
    code: 'hist_file',
    message: /a\.zst: it is compressed by zstd.*: zstd -dc .*a\.zst \|/,
  });
  const journal = file('system.journal', 'LPKSHHRH and more');
  await t.rejects(hist_(journal), { message: /journalctl --file .*system\.journal -o cat \| spillway hist/ });
  const log = file('kept.ndjson', put.join(''));
  for (const option of ['--hlog', '--svg']) {
    await t.rejects(hist_(option, log, log), { code: 'usage', message: /kept\.ndjson is a log that is read/ });
  }
  t.equal(readFileSync(log, 'utf8'), put.join(''));
});

t.test('options that contradict each other are told with the cure', async (t) => {
  const log = file('usage.ndjson', put.join(''));
  const wrong: [string[], RegExp][] = [
    [['--since', '2026-11-28', '--until', '2026-11-27'], /--since 2026-11-28T.* is not before --until .*: swap them/],
    [['--period', '2026-11-27..'], /--period is given once: give it twice/],
    [['--period', '..2026-11-27', '--period', '2026-11-27..', '--since', '2026-11-01'], /give one of them/],
    [['--period', '..2026-11-27', '--period', '2026-11-27..', '--by', 'window'], /leave one out/],
  ];
  for (const [args, message] of wrong)
    await t.rejects(hist([...args, log]), { code: 'usage', message }, args.join(' '));
  const terminal = Object.assign(Readable.from([]), { isTTY: true });
  await t.rejects(hist([], terminal), { code: 'usage', message: /name files, or pipe one in/ });
  await t.rejects(hist(['--since', '1795802400', log]), { message: /look like seconds: 1795802400000\?/ });
});

t.test('a range that the log does not cover is told with the one that it covers', async (t) => {
  const log = file('covers.ndjson', put.join(''));
  await t.rejects(hist(['--since', '2027-01-01', log]), {
    code: 'no_latency_lines',
    message:
      /2 outside what was asked for; its intervals begin from 2026-11-27T18:00:00\.000Z to 2026-11-27T18:00:10\.000Z/,
  });
});

t.test('wrong usage is told before anything is read', async (t) => {
  for (const args of [
    ['--by', 'day'],
    ['--window', '5 parsecs'],
    ['--window', '0s'],
    ['--since', 'soon'],
    ['--histogram', 'x'],
    ['--period', '2026-11-27'],
    ['--period', '2026-11-28..2026-11-27'],
    ['--wat'],
  ]) {
    await t.rejects(hist(args), CommanderError, args.join(' '));
  }
});
