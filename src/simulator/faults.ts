/**
 * The faults that can be ordered from the simulator: one table, from which the check of `POST /_sim/faults` and `--faults`, the
 * defaults and the table in README.md come. Pure; the dice that roll them are in dice.ts.
 */

interface NumberFault {
  readonly type: 'number';
  readonly least: number;
  readonly most: number;
  readonly whole: boolean;
  readonly initial: number;
  readonly sentence: string;
}
interface SwitchFault {
  readonly type: 'boolean';
  readonly initial: boolean;
  readonly sentence: string;
}
interface ChoiceFault<Value extends string = string> {
  readonly type: 'choice';
  readonly values: readonly Value[];
  readonly initial: Value;
  readonly sentence: string;
}
type Fault = NumberFault | SwitchFault | ChoiceFault;

const share = (sentence: string): NumberFault => ({
  type: 'number',
  least: 0,
  most: 1,
  whole: false,
  initial: 0,
  sentence,
});
const whole = (least: number, most: number, initial: number, sentence: string): NumberFault => ({
  type: 'number',
  least,
  most,
  whole: true,
  initial,
  sentence,
});
const onOff = (sentence: string): SwitchFault => ({ type: 'boolean', initial: false, sentence });
const choice = <const Value extends string>(
  values: readonly Value[],
  initial: NoInfer<Value>,
  sentence: string,
): ChoiceFault<Value> => ({ type: 'choice', values, initial, sentence });

export const faultTable = {
  latencyMs: whole(0, 600_000, 0, 'Milliseconds that every answer waits.'),
  latencyJitterMs: whole(0, 600_000, 0, 'Up to so many milliseconds more, evenly distributed.'),
  share500: share('Share of requests answered with status 500, InternalFailure; nothing of them is stored.'),
  shareFailedRecords: share('Share of records of PutRecords that fail with InternalFailure.'),
  throttle: onOff('Budgets per shard: what exceeds them fails with ProvisionedThroughputExceededException.'),
  shardBytesPerSecond: whole(
    1,
    1e12,
    1_000_000,
    'Budget of a shard under `throttle`, in bytes of data and partition key.',
  ),
  shardRecordsPerSecond: whole(1, 1e9, 1_000, 'Budget of a shard under `throttle`, in records.'),
  refuse: onOff('The port is closed and every connection to it destroyed; the admin port stays.'),
  resetShare: share('Share of requests whose connection is destroyed instead of answered.'),
  resetStage: choice(
    ['before', 'after'],
    'before',
    'Whether `resetShare` strikes before or after the records were stored.',
  ),
  cutShare: share('Share of answers that end in the middle of their body; their records were stored.'),
  hang: onOff('Requests are read and never answered; nothing of them is stored.'),
  reshardEveryMs: whole(
    0,
    3_600_000,
    0,
    'About so often, one shard of each stream is split or two are merged, 2 to 12 being open; 0: never.',
  ),
  seed: whole(0, 2 ** 32 - 1, 1, 'Starts the random generators behind shares, jitter and resharding.'),
} satisfies Record<string, Fault>;

export type FaultName = keyof typeof faultTable;

type ValueOf<F> = F extends NumberFault
  ? number
  : F extends SwitchFault
    ? boolean
    : F extends ChoiceFault<infer V>
      ? V
      : never;

/** One value for every fault of the table. */
export type FaultPlan = { readonly [Name in FaultName]: ValueOf<(typeof faultTable)[Name]> };

/** No fault in force. `seed` starts the generator, so that a run without faults set over HTTP has its seed from the command line. */
export function noFaults(seed: number = faultTable.seed.initial): FaultPlan {
  const plan: Record<string, unknown> = {};
  for (const [name, fault] of Object.entries<Fault>(faultTable)) plan[name] = fault.initial;
  return { ...(plan as FaultPlan), seed };
}

function mistakeOf(name: string, fault: Fault, value: unknown): string | undefined {
  switch (fault.type) {
    case 'number': {
      const fits = typeof value === 'number' && value >= fault.least && value <= fault.most;
      if (fits && (!fault.whole || Number.isInteger(value))) return undefined;
      const kind = fault.whole ? 'a whole number' : 'a number';
      return `${name}: ${JSON.stringify(value)} is not ${kind} from ${fault.least} to ${fault.most}`;
    }
    case 'boolean':
      return typeof value === 'boolean' ? undefined : `${name}: ${JSON.stringify(value)} is neither true nor false`;
    case 'choice':
      return fault.values.includes(value as string)
        ? undefined
        : `${name}: ${JSON.stringify(value)} is none of ${fault.values.join(', ')}`;
  }
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
