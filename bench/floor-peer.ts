/**
 * The other ends of bench/floor, as a process of its own, so that only the measured process's CPU is counted there.
 *
 * Two servers: a unix socket that pours out as many bytes as the connection's first line asks for, and a TCP port that
 * swallows everything and, once the client has ended, answers with how many bytes it got. Started by bench/floor with an IPC
 * channel and the unix socket's path; sends `{ port }` when both listen; ends when the channel does.
 */
import { createServer } from 'node:net';

/** The source writes in blocks of this size: what senders that write as fast as they can make of a socket. */
const blockBytes = 262_144;

const path = process.argv[2];
if (path === undefined || process.send === undefined) throw new Error('bench/floor starts this process');

const source = createServer((socket) => {
  const block = Buffer.alloc(blockBytes, 'event');
  socket.once('data', (request) => {
    let left = Number(request.toString());
    const pour = (): void => {
      while (left > 0) {
        const length = Math.min(left, blockBytes);
        left -= length;
        if (!socket.write(length === blockBytes ? block : block.subarray(0, length)) && left > 0) {
          socket.once('drain', pour);
          return;
        }
      }
      socket.end();
    };
    pour();
  });
  socket.on('error', () => socket.destroy());
});

const sink = createServer({ allowHalfOpen: true }, (socket) => {
  let received = 0;
  socket.on('data', (bytes) => {
    received += bytes.length;
  });
  socket.on('end', () => socket.end(String(received)));
  socket.on('error', () => socket.destroy());
});

process.on('disconnect', () => process.exit(0));
source.listen(path, () => {
  sink.listen(0, '127.0.0.1', () => {
    const address = sink.address();
    if (address !== null && typeof address !== 'string') process.send?.({ port: address.port });
  });
});
