/**
 * kinesalite, the emulator of the Kinesis API that others wrote, in a process of its own: it keeps everything in memory, tells
 * its port by IPC, and ends with its parent. It ends as well, with its stack on stderr, when a request makes it throw.
 */
import type { Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';

interface KinesaliteOptions {
  /** How long a stream takes to become active, in milliseconds. */
  readonly createStreamMs: number;
  readonly deleteStreamMs: number;
  /** How long a split or a merge takes. */
  readonly updateStreamMs: number;
  readonly shardLimit: number;
}

// It has no types, and no other entry than this one.
const kinesalite = createRequire(import.meta.url)('kinesalite') as (options: KinesaliteOptions) => Server;

process.on('disconnect', () => process.exit(0));
const server = kinesalite({ createStreamMs: 0, deleteStreamMs: 0, updateStreamMs: 0, shardLimit: 1_000 });
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
