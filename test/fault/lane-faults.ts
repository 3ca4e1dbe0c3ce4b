/**
 * Loaded by `--import` into a daemon under test, before its own code: lets the test end a lane worker from within. Runs in the
 * main thread, where it listens on the unix socket LANE_FAULTS_SOCKET, and in each worker, which waits to be struck.
 *
 * A line on the socket is a fault; the worker that has lived longest gets it.
 */
import { createServer } from 'node:net';
import { BroadcastChannel, isMainThread, threadId } from 'node:worker_threads';
import type { WorkerFault } from './worker-kills.ts';

type Notice =
  | { readonly type: 'born'; readonly thread: number }
  | { readonly type: 'strike'; readonly thread: number; readonly fault: WorkerFault };

const channel = new BroadcastChannel('lane-faults');
channel.unref();

function heard(listener: (notice: Notice) => void): void {
  // oxlint-disable-next-line unicorn/prefer-add-event-listener -- an event listener would keep the thread alive
  channel.onmessage = ({ data }: { data: Notice }) => listener(data);
}

function listen(): void {
  const threads: number[] = [];
  heard((notice) => {
    if (notice.type === 'born') threads.push(notice.thread);
  });
  const server = createServer((socket) => {
    socket.on('data', (line) => {
      const notice = { type: 'strike', thread: threads.shift() as number, fault: line.toString().trim() };
      channel.postMessage(notice);
      socket.end();
    });
  });
  server.listen(process.env['LANE_FAULTS_SOCKET']);
  server.unref();
}

function strike(fault: WorkerFault): void {
  switch (fault) {
    case 'exit':
      process.exit(7);
      break;
    case 'exception':
      setImmediate(() => {
        throw new Error('struck by an exception');
      });
      break;
    case 'heap':
      for (const held: number[][] = []; ; ) held.push(Array.from({ length: 100_000 }, (_, i) => i + 0.5));
    default:
      fault satisfies never;
  }
}

if (isMainThread) {
  listen();
} else {
  heard((notice) => {
    if (notice.type === 'strike' && notice.thread === threadId) strike(notice.fault);
  });
  channel.postMessage({ type: 'born', thread: threadId } satisfies Notice);
}
