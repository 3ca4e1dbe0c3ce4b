import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import ts from 'typescript';
import { at, filesBelow, parsedText, root, type Source, sources, walk } from './sources.ts';

const fileLinesMax = 250;
const functionLinesMax = 70;

/** The text of the comment that a file opens with (after a shebang line), without its stars; empty where there is none. */
function opening({ text }: Source): string {
  const comment = /^(?:#!.*\n)?\/\*\*([^]*?)\*\//.exec(text)?.[1] ?? '';
  return comment.replaceAll(/^\s*\* ?/gm, '').trim();
}

/** Sentences: what ends with a full stop, question or exclamation mark, or a colon, before white space or the end. */
function sentences(text: string): number {
  return [...text.matchAll(/[^\s][^]*?[.!?:](?=\s|$)/g)].length;
}

/** Functions of a file that do not fit on a screen, as messages. */
function longFunctions(source: Source): string[] {
  const found: string[] = [];
  walk(source, (node) => {
    if (!ts.isFunctionLike(node) || !('body' in node) || node.body === undefined) return;
    // What must be longer says so where it begins: unrolled code, mostly.
    if (node.getFullText(source.tree).slice(0, node.getLeadingTriviaWidth(source.tree)).includes('Longer than')) return;
    const lineOf = (position: number): number => source.tree.getLineAndCharacterOfPosition(position).line;
    const lines = lineOf(node.getEnd()) - lineOf(node.getStart(source.tree)) + 1;
    if (lines > functionLinesMax)
      found.push(`${at(source, node)}: a function of ${lines} lines: split it into named steps`);
  });
  return found;
}

t.test('every file opens with two sentences: what it is, which thread, who calls it, what it never does', async (t) => {
  // The names of a test file's tests say what it is.
  const silent = sources.filter((source) => !source.path.endsWith('.test.ts') && sentences(opening(source)) < 2);
  t.strictSame(
    silent.map(({ path }) => `${path}:1: open it with a /** comment of at least two sentences */`),
    [],
  );
  t.equal(sentences(opening(parsedText('src/base/x.ts', '/** One idea. Any thread. */\nexport {};'))), 2);
  t.equal(sentences(opening(parsedText('src/base/x.ts', '#!/usr/bin/env node\n/**\n * One idea\n */\n'))), 0);
  t.equal(sentences(opening(parsedText('src/base/x.ts', 'export {};\n/** Too late. Too late. */'))), 0);
});

t.test(`a file has at most ${fileLinesMax} lines, unless its opening says "Long because ..."`, async (t) => {
  const tooLong = ({ path, lines }: Source): string => `${path}: ${lines.length - 1} lines: split it by idea`;
  const excused = (source: Source): boolean => /(^|\s)Long because /.test(opening(source));
  t.strictSame(sources.filter((source) => source.lines.length - 1 > fileLinesMax && !excused(source)).map(tooLong), []);
});

t.test(`a function has at most ${functionLinesMax} lines`, async (t) => {
  t.strictSame(sources.flatMap(longFunctions), []);
  const planted = parsedText('src/base/x.ts', `export const f = () => {\n${'f();\n'.repeat(functionLinesMax)}};`);
  t.match(longFunctions(planted), [/^src\/base\/x.ts:1: a function of 72 lines/]);
});

t.test('files are named in kebab-case, after a thing rather than a drawer', async (t) => {
  const name = /\/[a-z0-9]+(-[a-z0-9]+)*(\.test|\.d)?\.ts$/;
  const drawer = /(^|\/)(utils?|common|helpers?|misc|shared|lib)(\/|\.)/;
  const paths = sources.map(({ path }) => path);
  t.strictSame(
    paths
      .filter((path) => !name.test(path) || drawer.test(path))
      .map((path) => `${path}: name it like retry-budget.ts, after what is in it`),
    [],
  );
});

/** Words that say nothing lasting, or that belong to how the work was done and not to what it is. */
const unwanted: readonly (readonly [RegExp, string])[] = [
  [/\b(TODO|FIXME|XXX|HACK)\b/, 'do it, or describe the limit that stands'],
  [/\bfor now\b/i, 'say what is, and why'],
  [/\b(issue|ticket|pull request|PR) ?#?[0-9]+\b/i, 'say the reason itself: a reader may not have the tracker'],
  [/\(#[0-9]+\)/, 'say the reason itself: a reader may not have the tracker'],
  [/\b(worktree|subagent|integrator)s?\b/i, 'the project speaks of itself alone'],
  [/\b(claude|anthropic|chatgpt|openai|copilot)\b/i, 'the project speaks of itself alone'],
  [/\/(work|home|Users)\/[a-z]|\/tmp\/h\//, 'a path of one machine: make it relative or temporary'],
];

t.test('no file has words that promise work, point to a tracker, or speak of how it was made', async (t) => {
  const texts = [
    ...sources.map(({ path }) => path),
    ...filesBelow('.ci', ['']),
    ...filesBelow('systemd', ['']),
    ...filesBelow('src', ['.md']),
    ...filesBelow('test', ['.json', '.md']),
    'README.md',
    'CHANGELOG.md',
    'package.json',
  ];
  for (const path of texts) {
    // This file has to name them.
    if (path === 'test/tidy/style.test.ts') continue;
    for (const [index, line] of read(path).split('\n').entries()) {
      for (const [words, cure] of unwanted) {
        const found = words.exec(line)?.[0];
        if (found !== undefined) t.fail(`${path}:${index + 1}: "${found}": ${cure}`);
      }
    }
  }
  t.ok(texts.length > 10);
});

function read(path: string): string {
  try {
    return readFileSync(join(root, path), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
