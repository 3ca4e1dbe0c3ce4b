/**
 * The faults that can be ordered from the simulator: one table, from which the check of `POST /_sim/faults` and `--faults`, the
 * defaults and the table in README.md come. Pure; the dice that roll them are in dice.ts.
 */

import {
  choice,
  type FaultKind,
  mistakeOf,
  names,
  numbers,
  onOff,
  share,
  text,
  type ValueOf,
  whole,
} from './fault-kinds.ts';
import { operationShapes } from './shapes.ts';

const operations = Object.keys(operationShapes);

export const faultTable = {
  latencyMs: whole(0, 600_000, 0, 'Milliseconds that every answer waits.'),
  latencyJitterMs: whole(0, 600_000, 0, 'Up to so many milliseconds more, evenly distributed.'),
  share500: share('Share of requests answered with status 500, InternalFailure; nothing of them is stored.'),
  errorShare: share('Share of requests answered with the error `errorType`; nothing of them is stored.'),
  errorType: text(
    /^[A-Za-z][\w.]{0,127}$/,
    'the type of an error',
    'ServiceUnavailable',
    'Type of `errorShare`, any at all: KMSDisabledException, ExpiredTokenException, SlowDown, ...',
  ),
  errorMessage: text(/^[^]{0,1000}$/, 'a text', '', 'Message of `errorShare`; empty: the usual one of its type.'),
  errorOperations: names(operations, 'operations', 'What `errorShare` strikes; none: every operation.'),
  denyOperations: names(operations, 'operations', 'These are answered with AccessDeniedException.'),
  clockOffsetMs: whole(
    -86_400_000,
    86_400_000,
    0,
    'So far is the `date` of answers ahead; requests signed more than 5 minutes away from it are refused.',
  ),
  shareFailedRecords: share('Share of records of PutRecords that fail with `failedRecordType`.'),
  failedRecordType: choice(
    ['InternalFailure', 'ProvisionedThroughputExceededException', 'KMSThrottlingException'],
    'InternalFailure',
    'Error code of `shareFailedRecords`.',
  ),
  throttle: onOff('Budgets per shard: what exceeds them fails with ProvisionedThroughputExceededException.'),
  shardBytesPerSecond: whole(
    1,
    1e12,
    1_000_000,
    'Budget of a shard under `throttle`, in bytes of data and partition key.',
  ),
  shardRecordsPerSecond: whole(1, 1e9, 1_000, 'Budget of a shard under `throttle`, in records.'),
  shardBurstSeconds: whole(1, 3_600, 1, 'Seconds whose worth a budget holds, and begins with.'),
  hotShards: numbers('numbers of shards', 'Shards whose budgets are these two instead, also without `throttle`.'),
  hotShardBytesPerSecond: whole(1, 1e12, 100_000, 'Budget of each of `hotShards`, in bytes.'),
  hotShardRecordsPerSecond: whole(1, 1e9, 100, 'Budget of each of `hotShards`, in records.'),
  slowShards: numbers('numbers of shards', 'Shards that delay each answer about a record of theirs by `slowShardMs`.'),
  slowShardMs: whole(0, 600_000, 1_000, 'Milliseconds, once an answer.'),
  refuse: onOff('The port is closed and every connection to it destroyed; the admin port stays.'),
  resetShare: share('Share of requests whose connection is destroyed instead of answered.'),
  resetStage: choice(
    ['before', 'after'],
    'before',
    'Whether `resetShare` strikes before or after the records were stored.',
  ),
  cutShare: share('Share of answers that end in the middle of their body; their records were stored.'),
  garbageShare: share('Share of answers of status 200 whose body is no JSON or CBOR; their records were stored.'),
  miscountShare: share(
    'Share of answers of PutRecords with one record too many or too few; their records were stored.',
  ),
  lateShare: share('Share of answers that wait `lateMs`; their records were stored.'),
  lateMs: whole(0, 600_000, 60_000, 'Milliseconds that `lateShare` waits: more than the patience of the client.'),
  hang: onOff('Requests are read and never answered; nothing of them is stored.'),
  reshardEveryMs: whole(
    0,
    3_600_000,
    0,
    'About so often, one shard of each stream is split or two are merged, 2 to 12 being open; 0: never.',
  ),
  seed: whole(0, 2 ** 32 - 1, 1, 'Starts the random generators behind shares, jitter and resharding.'),
} satisfies Record<string, FaultKind>;

export type FaultName = keyof typeof faultTable;

/** One value for every fault of the table. */
export type FaultPlan = { readonly [Name in FaultName]: ValueOf<(typeof faultTable)[Name]> };

/** No fault in force. `seed` starts the generator, so that a run without faults set over HTTP has its seed from the command line. */
export function noFaults(seed: number = faultTable.seed.initial): FaultPlan {
  const plan: Record<string, unknown> = {};
  for (const [name, fault] of Object.entries<FaultKind>(faultTable)) plan[name] = fault.initial;
  return { ...(plan as FaultPlan), seed };
}

/**
 * The plan that `order` describes: what it does not name has its initial value, so `{}` clears every fault (as does
 * `{"reset": true}`, which other names may accompany). All mistakes are reported, none is applied.
 */
export function planOf(
  order: unknown,
  seed: number,
): { readonly plan: FaultPlan } | { readonly mistakes: readonly string[] } {
  if (typeof order !== 'object' || order === null || Array.isArray(order)) {
    return { mistakes: ['the faults must be a JSON object, for example {"latencyMs": 50}'] };
  }
  const mistakes: string[] = [];
  const plan: Record<string, unknown> = { ...noFaults(seed) };
  for (const [name, value] of Object.entries(order)) {
    if (name === 'reset') {
      if (value !== true) mistakes.push('reset: only true has a meaning');
      continue;
    }
    const fault = Object.hasOwn(faultTable, name) ? faultTable[name as FaultName] : undefined;
    const mistake =
      fault === undefined
        ? `${name}: no such fault; there are ${Object.keys(faultTable).join(', ')}`
        : mistakeOf(name, fault, value);
    if (mistake !== undefined) mistakes.push(mistake);
    else plan[name] = value;
  }
  return mistakes.length > 0 ? { mistakes } : { plan: plan as FaultPlan };
}
