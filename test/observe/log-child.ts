/**
 * A process that logs to a stdout which misbehaves; started by log-output.test.ts, which reads its report from stderr.
 * The first argument is what it does.
 */
import { createLog } from '../../src/observe/log.ts';

const startMs = Date.now();
const log = createLog({ level: 'info', nowMs: Date.now });
const pad = 'x'.repeat(1_000);

function logLines(count: number): void {
  for (let index = 0; index < count; index++) {
    // A periodic kind: flood control must not be what limits the lines here.
    log.info('backlog', pad, { events: index, bytes: 0, oldestMs: 0 });
  }
}

function report(facts: object): void {
  process.stderr.write(`${JSON.stringify({ ...facts, tookMs: Date.now() - startMs })}\n`);
}

switch (process.argv[2]) {
  case 'blocked': {
    logLines(20_000);
    let ticks = 0;
    const timer = setInterval(() => ticks++, 5);
    const lost = await log.close(400);
    clearInterval(timer);
    report({ lost, ticks, heapBytes: process.memoryUsage().heapUsed });
    process.exit(0);
    break;
  }
  case 'resumed':
    logLines(5_000);
    report({ state: 'full' });
    report({ unreported: await log.close(30_000) });
    break;
  case 'closed': {
    process.stdin.once('data', () => void reportAfterClosing());
    report({ state: 'started' });
    break;
  }
  case 'exit':
    logLines(20);
    process.exit(0);
    break;
  default:
    throw new Error(`unknown behaviour ${process.argv[2]}`);
}

/** Two turns: the first write meets the closed pipe, the others come after its error was reported. */
async function reportAfterClosing(): Promise<void> {
  logLines(10);
  await new Promise(setImmediate);
  logLines(10);
  report({ lost: await log.close(1_000) });
  process.exit(0);
}
