/**
 * `npm run bench -- NAME [SWITCHES]`: runs a benchmark of this folder by its name; without one, or with --help, lists them with the
 * questions that they answer. A benchmark's opening asks its question before its first drawing; other files are parts.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { printLine } from './harness.ts';

const here = new URL('./', import.meta.url);

/** The question that a built file's opening asks; undefined: it is no benchmark. */
function questionOf(file: string): string | undefined {
  const text = readFileSync(new URL(file, here), 'utf8');
  const opening = /^\/\*\*([^]*?)\*\//.exec(text)?.[1]?.split(/\n \*\n/)[0] ?? '';
  const prose = opening.replaceAll(/\n \* ?/g, ' ').trim();
  return prose.includes('?') ? prose.slice(0, prose.indexOf('?') + 1) : undefined;
}

const questions = new Map(
  readdirSync(here)
    .filter((file) => file.endsWith('.js'))
    .map((file) => [file.slice(0, -'.js'.length), questionOf(file)] as const)
    .filter((entry): entry is [string, string] => entry[1] !== undefined),
);

const [name = '--help', ...rest] = process.argv.slice(2);
if (questions.has(name)) {
  const code = fileURLToPath(new URL(`${name}.js`, here));
  process.exitCode = spawnSync(process.execPath, [code, ...rest], { stdio: 'inherit' }).status ?? 1;
} else {
  const isHelp = name === '--help' || name === '-h';
  if (!isHelp) printLine(`there is no benchmark ${name}; there are:\n`);
  for (const [each, question] of questions) printLine(`${each.padEnd(20)} ${question.replace(/^Question: /, '')}`);
  process.exitCode = isHelp ? 0 : 2;
}
