/**
 * The sender of bench/end-to-end, as a process of its own. Started with a load case and a socket's path; for each message
 * `{ events }` it sends so many as fast as the daemon takes them, waits until each is acknowledged, and answers with what the
 * acknowledgements said and its own CPU time. Ends when its channel does.
 */
import { connect, type Socket } from 'node:net';
import { AnswerReader } from '../src/client/answers.ts';
import { createLoad, keyCount, type LoadCase } from './end-to-end-load.ts';

/** Bytes of one write: what the daemon reads at a time. */
const writeBytes = 262_144;
/** Events sent and not acknowledged: bounds what waits in this process, beside the socket's own buffer. */
const unackedMax = 5 * keyCount;

export interface SenderReport {
  readonly accepted: number;
  readonly refused: number;
}

const [path, description] = process.argv.slice(2);
if (path === undefined || description === undefined || process.send === undefined) {
  throw new Error('bench/end-to-end starts this process');
}
const loadCase = JSON.parse(description) as LoadCase;
const { hello, block } = createLoad(loadCase);

let judged = 0;
let refused = 0;
let onJudged = (): void => {};
const socket = connect(path);
socket.write(hello);
if (loadCase.framing === 'frames') readFrames(socket);
else readLines(socket);
process.on('message', ({ events }: { events: number }) => {
  void send(events).then((report) => process.send?.(report));
});
process.on('disconnect', () => process.exit(0));

/** `events` is a multiple of {@link keyCount}. */
async function send(events: number): Promise<SenderReport> {
  const before = { judged, refused };
  for (let sent = 0; sent < events; sent += keyCount) {
    await judgedAtLeast(before.judged + sent - unackedMax);
    for (let from = 0; from < block.length; from += writeBytes) {
      if (!socket.write(block.subarray(from, from + writeBytes))) await drained();
    }
  }
  await judgedAtLeast(before.judged + events);
  return { accepted: events - (refused - before.refused), refused: refused - before.refused };
}

function judgedAtLeast(count: number): Promise<void> {
  return new Promise((resolve) => {
    onJudged = () => {
      if (judged >= count) resolve();
    };
    onJudged();
  });
}

function drained(): Promise<void> {
  return new Promise((resolve) => socket.once('drain', () => resolve()));
}

function readFrames(from: Socket): void {
  const reader = new AnswerReader({
    onHello: () => {},
    onAck: (number) => {
      judged = number;
      onJudged();
    },
    onRefusal: ({ count }) => {
      refused += count;
    },
    onBreaker: () => {},
    onError: (error) => {
      throw error;
    },
  });
  from.on('data', (bytes: Buffer) => reader.push(bytes));
}

/** The last line of an answer has the totals. */
function readLines(from: Socket): void {
  let text = '';
  from.setEncoding('utf8').on('data', (piece: string) => {
    text += piece;
    const end = text.lastIndexOf('\n');
    if (end === -1) return;
    const last = text.lastIndexOf('\n', end - 1) + 1;
    const totals = JSON.parse(text.slice(last, end)) as SenderReport;
    text = text.slice(end + 1);
    refused = totals.refused;
    judged = totals.accepted + totals.refused;
    onJudged();
  });
}
