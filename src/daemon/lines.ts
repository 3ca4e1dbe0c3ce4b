/**
 * Where in a TOML text each table and key stands, as line numbers. Main thread; called by the config loader, because the TOML
 * parser gives values without places and a mistake without a line is hard to find in a long file.
 *
 * It reads text that the parser has already accepted, so it only recognises shapes and refuses nothing. What it cannot place
 * (keys inside an inline table) is found at the line of what holds it.
 */

/** Line numbers, from 1, by path: `daemon`, `daemon.lanes`, `stream.0`, `stream.0.name`. */
export type Lines = ReadonlyMap<string, number>;

export function linesOf(text: string): Lines {
  const lines = new Map<string, number>();
  const counts = new Map<string, number>();
  const open: Unfinished = { fence: undefined, depth: 0 };
  let table = '';
  for (const [index, line] of text.split('\n').entries()) {
    if (open.fence !== undefined || open.depth > 0) {
      follow(open, line);
      continue;
    }
    const header = /^\s*(\[\[?)\s*([^\]]+?)\s*\]/.exec(line);
    const assignment = /^\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'|\s*\.\s*)+?)\s*=/.exec(line);
    if (header !== null) {
      table = plainPath(header[2] ?? '');
      if (header[1] === '[[') {
        const count = counts.get(table) ?? 0;
        counts.set(table, count + 1);
        if (!lines.has(table)) lines.set(table, index + 1);
        table = `${table}.${count}`;
      }
      lines.set(table, index + 1);
    } else if (assignment !== null) {
      const key = plainPath(assignment[1] ?? '');
      const path = table === '' ? key : `${table}.${key}`;
      if (!lines.has(path)) lines.set(path, index + 1);
      follow(open, line.slice(assignment[0].length));
    }
  }
  return lines;
}

/** The line of `path`, or of the nearest thing that holds it; undefined when nothing of it stands in the text. */
export function lineOf(lines: Lines, path: string): number | undefined {
  for (let at = path; at !== ''; at = at.slice(0, Math.max(0, at.lastIndexOf('.')))) {
    const line = lines.get(at);
    if (line !== undefined) return line;
  }
  return undefined;
}

/** A value that goes on in the next line: inside a multi-line string (its closing quotes), or inside brackets. */
interface Unfinished {
  fence: string | undefined;
  depth: number;
}

/** Moves past one line of a value. Quotes hide brackets and comments; a comment hides the rest of the line. */
function follow(open: Unfinished, line: string): void {
  const token = /"""|'''|"(?:[^"\\]|\\.)*"|'[^']*'|[[\]{}#]/g;
  let from = 0;
  while (from < line.length) {
    if (open.fence !== undefined) {
      const end = line.indexOf(open.fence, from);
      if (end < 0) return;
      from = end + open.fence.length;
      open.fence = undefined;
      continue;
    }
    token.lastIndex = from;
    const found = token.exec(line)?.[0];
    if (found === undefined || found === '#') return;
    from = token.lastIndex;
    if (found === '"""' || found === "'''") open.fence = found;
    else if (found === '[' || found === '{') open.depth += 1;
    else if (found === ']' || found === '}') open.depth -= 1;
  }
}

function plainPath(written: string): string {
  return written
    .split('.')
    .map((part) => part.trim().replaceAll(/^["']|["']$/g, ''))
    .join('.');
}
