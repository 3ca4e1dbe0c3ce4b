/**
 * The kinds of values that a fault takes, and how an ordered value is held against its kind. Pure; the faults themselves are the
 * table of faults.ts.
 */

interface NumberKind {
  readonly type: 'number';
  readonly least: number;
  readonly most: number;
  readonly whole: boolean;
  readonly initial: number;
  readonly sentence: string;
}
interface SwitchKind {
  readonly type: 'boolean';
  readonly initial: boolean;
  readonly sentence: string;
}
interface ChoiceKind<Value extends string = string> {
  readonly type: 'choice';
  readonly values: readonly Value[];
  readonly initial: Value;
  readonly sentence: string;
}
interface TextKind {
  readonly type: 'text';
  readonly pattern: RegExp;
  /** The pattern in words. */
  readonly takes: string;
  readonly initial: string;
  readonly sentence: string;
}
interface NamesKind {
  readonly type: 'names';
  readonly values: readonly string[];
  /** The values in a word. */
  readonly takes: string;
  readonly initial: readonly string[];
  readonly sentence: string;
}
interface NumbersKind {
  readonly type: 'numbers';
  readonly takes: string;
  readonly initial: readonly number[];
  readonly sentence: string;
}
export type FaultKind = NumberKind | SwitchKind | ChoiceKind | TextKind | NamesKind | NumbersKind;

export type ValueOf<F> = F extends NumberKind
  ? number
  : F extends SwitchKind
    ? boolean
    : F extends ChoiceKind<infer V>
      ? V
      : F extends TextKind
        ? string
        : F extends NamesKind
          ? readonly string[]
          : F extends NumbersKind
            ? readonly number[]
            : never;

export const share = (sentence: string): NumberKind => ({
  type: 'number',
  least: 0,
  most: 1,
  whole: false,
  initial: 0,
  sentence,
});
export const whole = (least: number, most: number, initial: number, sentence: string): NumberKind => ({
  type: 'number',
  least,
  most,
  whole: true,
  initial,
  sentence,
});
export const onOff = (sentence: string): SwitchKind => ({ type: 'boolean', initial: false, sentence });
export const choice = <const Value extends string>(
  values: readonly Value[],
  initial: NoInfer<Value>,
  sentence: string,
): ChoiceKind<Value> => ({ type: 'choice', values, initial, sentence });
export const text = (pattern: RegExp, takes: string, initial: string, sentence: string): TextKind => ({
  type: 'text',
  pattern,
  takes,
  initial,
  sentence,
});
export const names = (values: readonly string[], takes: string, sentence: string): NamesKind => ({
  type: 'names',
  values,
  takes,
  initial: [],
  sentence,
});
export const numbers = (takes: string, sentence: string): NumbersKind => ({
  type: 'numbers',
  takes,
  initial: [],
  sentence,
});

/** What is wrong with `value`, ordered for the fault `name`; undefined: nothing. */
export function mistakeOf(name: string, fault: FaultKind, value: unknown): string | undefined {
  const wrong = (what: string): string => `${name}: ${JSON.stringify(value)} ${what}`;
  switch (fault.type) {
    case 'number': {
      const fits = typeof value === 'number' && value >= fault.least && value <= fault.most;
      if (fits && (!fault.whole || Number.isInteger(value))) return undefined;
      return wrong(`is not ${fault.whole ? 'a whole number' : 'a number'} from ${fault.least} to ${fault.most}`);
    }
    case 'boolean':
      return typeof value === 'boolean' ? undefined : wrong('is neither true nor false');
    case 'choice':
      return fault.values.includes(value as string) ? undefined : wrong(`is none of ${fault.values.join(', ')}`);
    case 'text':
      return typeof value === 'string' && fault.pattern.test(value) ? undefined : wrong(`is not ${fault.takes}`);
    case 'names':
      if (Array.isArray(value) && value.every((item) => fault.values.includes(item as string))) return undefined;
      return wrong(`is not a list of ${fault.takes}: ${fault.values.join(', ')}`);
    case 'numbers':
      if (Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0)) return undefined;
      return wrong(`is not a list of ${fault.takes}`);
  }
}
