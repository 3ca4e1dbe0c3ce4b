/**
 * Loaded by `--import` into a daemon under test, before its own code: lets the test hang one of its threads. Runs in the main thread,
 * which listens on the unix socket HANGS_SOCKET, and in each worker. A line on the socket says what hangs, for good: "main"; "lane", in
 * JavaScript, which can be ended from outside; "lane-for-good", in a call that cannot.
 */
import { spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { BroadcastChannel, isMainThread } from 'node:worker_threads';

export type Hang = 'main' | 'lane' | 'lane-for-good';

const channel = new BroadcastChannel('hangs');
channel.unref();

function spin(): never {
  for (;;);
}

if (isMainThread) {
  createServer((socket) => {
    socket.on('data', (line) => {
      const hang = line.toString().trim() as Hang;
      if (hang === 'main') spin();
      channel.postMessage(hang);
      socket.end();
    });
  })
    .listen(process.env['HANGS_SOCKET'])
    .unref();
} else {
  // A worker that is made afterwards hears nothing of it.
  // oxlint-disable-next-line unicorn/prefer-add-event-listener -- an event listener would keep the thread alive
  channel.onmessage = ({ data }: { data: Hang }) => {
    if (data === 'lane') spin();
    // Ends with the daemon, however that ends.
    spawnSync('sh', ['-c', `while [ -e /proc/${process.pid} ]; do sleep 0.2; done`]);
  };
}
