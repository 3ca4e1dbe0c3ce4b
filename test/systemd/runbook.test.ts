import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import ts from 'typescript';
import { alertFields, anchorOf, quantityText } from '../../src/alerts/alert-text.ts';
import { type MeasureName, measureNames, measureOf } from '../../src/alerts/measures.ts';
import { type AlertRule, defaultRules } from '../../src/alerts/rules.ts';
import { parsedText, root, type Source, shipped, walk } from '../tidy/sources.ts';

const runbook = readFileSync(join(root, 'systemd/README.md'), 'utf8');

/** What senders and operators can meet: the simulator speaks for Kinesis, and its errors are AWS's. */
const sources = shipped.filter(({ path }) => !path.startsWith('src/simulator/'));

/** Functions whose first argument is a code. */
const tellers = /^(SpillwayError|leave|finish|failure|refuse|refused|fault)$/;
const code = /^[a-z]+(_[a-z]+)*$/;

/** Every stable code that a source gives a failure or refusal. */
function codesOf(source: Source): string[] {
  const found: string[] = [];
  const take = (node: ts.Node | undefined): void => {
    if (node !== undefined && ts.isStringLiteral(node) && code.test(node.text)) found.push(node.text);
    if (node !== undefined && ts.isConditionalExpression(node)) [node.whenTrue, node.whenFalse].forEach(take);
  };
  walk(source, (node) => {
    if (ts.isNewExpression(node) || ts.isCallExpression(node)) {
      const called = ts.isPropertyAccessExpression(node.expression) ? node.expression.name : node.expression;
      if (tellers.test(called.getText(source.tree))) take(node.arguments?.[0]);
    } else if (ts.isPropertyAssignment(node) && /^(code|error)$/.test(node.name.getText(source.tree))) {
      take(node.initializer);
    } else if (
      ts.isVariableDeclaration(node) &&
      source.path === 'src/edges/failure-cures.ts' &&
      node.name.getText(source.tree) === 'rows'
    ) {
      for (const row of /\n {2}([a-z_]+): \{/g[Symbol.matchAll](node.getText(source.tree)))
        found.push(row[1] as string);
    }
  });
  return found;
}

const inSource = new Set(sources.flatMap((source) => codesOf(source)));
const inRunbook = [...runbook.matchAll(/^\| `([a-z_]+)` \| [^|]+ \| [^|]+ \|$/gm)].map(([, name]) => name as string);

t.test('every error code of the sources has its row in the runbook', async (t) => {
  t.ok(inSource.size > 60, `${inSource.size} codes are found in the sources`);
  t.strictSame(
    [...inSource].filter((name) => !inRunbook.includes(name)).sort(),
    [],
    'systemd/README.md: say what it means and what to do',
  );
});

t.test('every code of the runbook is one of the sources, and stands there once', async (t) => {
  t.strictSame(
    inRunbook.filter((name) => !inSource.has(name)),
    [],
    'systemd/README.md: no source has it any more',
  );
  t.strictSame(new Set(inRunbook).size, inRunbook.length);
});

t.test('codes are found wherever they are written', async (t) => {
  for (const line of [
    "throw new SpillwayError('some_code', 'text');",
    "const row = { code: 'some_code', retryable: true };",
    "const told = { error: isOne ? 'some_code' : 'some_code' };",
    "this.leave('some_code', message, true);",
  ]) {
    t.equal(new Set(codesOf(parsedText('src/x.ts', line))).has('some_code'), true, line);
  }
});

/** What the README says of the rule that is there unasked. */
function unasked({ measure, threshold, stream, forMs }: AlertRule): string {
  const { side, unit } = measureOf(measure);
  const times = forMs === 0 ? '' : `, for ${quantityText(forMs, 'ms')}`;
  return `${side} ${quantityText(threshold, unit)}${stream === '*' ? ', each stream' : ''}${times}`;
}

t.test('every measure has its row in runbook and README, every row is a measure', async (t) => {
  const rows = [...runbook.matchAll(/^\| <a id="([a-z0-9_-]+)"><\/a>`([a-z0-9_]+)` \| [^|]+ \| [^|]+ \|$/gm)];
  t.strictSame(
    rows.map(([, , measure]) => measure),
    measureNames,
    'systemd/README.md: Alerts',
  );
  for (const [, anchor, measure = ''] of rows) t.equal(anchor, anchorOf(measure), 'the anchor that log lines name');
  const units = { ms: 'time', bytes: 'bytes', number: 'number' };
  const wanted = measureNames.map((measure: MeasureName) => {
    const rule = defaultRules.find(({ name }) => name === measure);
    return `\`${measure}\` | ${units[measureOf(measure).unit]} | ${rule === undefined ? '' : `${unasked(rule)} `}`;
  });
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  const start = readme.indexOf('| measure | unit | unasked | what |');
  const table = readme.slice(start, readme.indexOf('\n\n', start)).split('\n').slice(2);
  t.strictSame(
    table.map((row) => /^\| ([^|]+ \| [^|]+ \| [^|]*)\| [^|]+ \|$/.exec(row)?.[1]),
    wanted,
    'README.md: Alerts',
  );
});

t.test('what an alert line tells to look at leads to the runbook', async (t) => {
  for (const rule of defaultRules) {
    const notice = {
      change: 'fired',
      rule,
      stream: undefined,
      value: 1,
      heldMs: 0,
      tookMs: undefined,
      isDropped: false,
    } as const;
    const anchor = /runbook#([a-z0-9_-]+)$/.exec(alertFields(notice).hint ?? '')?.[1] ?? '';
    t.match(runbook, `<a id="${anchor}"></a>`);
  }
});
