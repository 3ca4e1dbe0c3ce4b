/**
 * Lane: two hundred lane workers killed in a running daemon, by exit, exception and heap exhaustion. Each must be replaced
 * within a second, every accepted event must arrive, and the books must be exact.
 */
import { killWorkers } from '../fault/worker-kills.ts';

const kills = 200;
const endings: (() => Promise<void>)[] = [];
// Eight lanes that each lose a worker every 5.2 s: none is taken for one that cannot live.
const plan = { kills, lanes: 8, apartMs: 650 };
const report = await killWorkers({ teardown: (end) => void endings.push(end) }, plan);
for (const end of endings) await end();

const { accepted, lost, duplicated, inFlight, ledger, otherCauses, replacedMs, exitCode } = report;
const sorted = [...replacedMs].sort((left, right) => left - right);
const checks: readonly (readonly [claim: string, holds: boolean, found: string | number])[] = [
  ['every worker died as it was told to', otherCauses.length === 0, otherCauses.join('; ')],
  ['every worker was replaced', replacedMs.length === kills, replacedMs.length],
  [
    'within a second',
    (sorted.at(-1) ?? Infinity) <= 1_000,
    `median ${sorted[kills >> 1]} ms, most ${sorted.at(-1)} ms`,
  ],
  ['no accepted event is lost', lost === 0, `${lost} of ${accepted}`],
  ['at most what was in flight came twice', duplicated <= inFlight, `${duplicated} of ${inFlight}`],
  ['the books are exact', ledger.delivered === accepted && ledger.accepted === accepted, JSON.stringify(ledger)],
  ['the daemon stops with 0', exitCode === 0, exitCode ?? 'a signal'],
];
for (const [claim, holds, found] of checks) process.stdout.write(`${holds ? 'ok ' : 'NOT'} ${claim}: ${found}\n`);
process.exitCode = checks.every(([, holds]) => holds) ? 0 : 1;
