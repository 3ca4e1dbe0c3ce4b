/** Whether a text is well-formed XML, as far as the charts use it: declaration, elements, attributes, text, references. */

const token = /<\?xml [^?]*\?>|<\/([a-z]+)>|<([a-z]+)((?:\s+[a-zA-Z:-]+="[^"<&]*")*)\s*(\/?)>|((?:[^<&]|&#\d+;)+)/uy;

/** The first mistake, or undefined. */
export function xmlMistake(text: string): string | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what XML forbids
  if (/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u.test(text)) return 'a character that XML forbids';
  const open: string[] = [];
  let roots = 0;
  token.lastIndex = 0;
  while (token.lastIndex < text.length) {
    const position = token.lastIndex;
    const match = token.exec(text);
    if (match === null) return `no markup and no text at ${position}: ${text.slice(position, position + 40)}`;
    const [whole, closing, opening, , empty, content] = match;
    if (whole.startsWith('<?') && position > 0) return 'a declaration that is not at the start';
    if (content !== undefined && open.length === 0 && content.trim() !== '') return `text outside the root: ${content}`;
    if (closing !== undefined && open.pop() !== closing) return `</${closing}> closes another element at ${position}`;
    if (opening === undefined) continue;
    if (open.length === 0 && ++roots > 1) return 'a second root';
    if (empty === '') open.push(opening);
  }
  if (roots === 0) return 'no root';
  return open.length > 0 ? `<${open.at(-1)}> is not closed` : undefined;
}
