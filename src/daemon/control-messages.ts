/**
 * What goes over the control socket: a JSON line asks, JSON lines answer, the last of which is `facts`, `status`, `done` or `error`. Types and
 * names only; the daemon and the commands that talk to it share them.
 *
 * ```
 *   command                                       daemon
 *   {"ask":"purge","filter":{...}}        ──▶
 *                                         ◀──     {"reply":"progress",...}   ...
 *   {"ask":"stop"}, or the end            ──▶     finishes what it has begun
 *                                         ◀──     {"reply":"done",...}
 * ```
 */
import { join } from 'node:path';
import type { WorkCounts } from '../dlq/dead-letters.ts';
import type { Filter } from '../dlq/filter.ts';

/** In the state directory, so that the user who may read the DLQ may talk to its daemon. */
export function controlPath(stateDir: string): string {
  return join(stateDir, 'control');
}

/** Longest line of either side. */
export const controlLineBytesMax = 256 * 1024;

export type Ask =
  | { readonly ask: 'facts' }
  /** What `GET /v1/status` answers, for who has no HTTP listener. */
  | { readonly ask: 'status' }
  | { readonly ask: 'purge'; readonly filter: Filter }
  | {
      readonly ask: 'replay';
      readonly filter: Filter;
      /** Name of the stream that all go to; absent: each to its own. */
      readonly to?: string;
      readonly perSecond?: number;
    }
  | { readonly ask: 'stop' };

/** What is asked of dead letters. */
export type WorkAsk = Extract<Ask, { ask: 'purge' | 'replay' }>;

export interface Facts {
  readonly reply: 'facts';
  readonly pid: number;
  readonly streams: readonly string[];
  /** Names of the segments that are being written. */
  readonly openSegments: readonly string[];
}

export interface StatusReply {
  readonly reply: 'status';
  readonly pid: number;
  readonly version: string;
  readonly status: object;
}

export type Reply =
  | Facts
  | StatusReply
  | ({ readonly reply: 'progress' | 'done' } & WorkCounts)
  | { readonly reply: 'error'; readonly code: string; readonly message: string };
