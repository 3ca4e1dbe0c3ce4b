/**
 * The keys of the DLQ, from what the configuration names. Main thread; called by the daemon's start, by `check`, and by `spillway dlq`.
 */
import { SpillwayError } from '../base/errors.ts';
import { Keys } from '../dlq/encryption.ts';
import { readKey } from '../edges/key-file.ts';
import type { DlqConfig } from './config.ts';
import { type Mistake, shownValue } from './mistakes.ts';

type Named = Pick<DlqConfig, 'encryptionKey' | 'oldEncryptionKey'>;

/** What keeps keys from being used. `file`: of the configuration. */
export function keyMistakes({ encryptionKey, oldEncryptionKey }: Named, file: string): Mistake[] {
  const named = { 'dlq.encryption_key': encryptionKey, 'dlq.old_encryption_key': oldEncryptionKey };
  return Object.entries(named).flatMap(([key, value]) => {
    const reading = value === undefined ? undefined : readKey(value);
    if (reading === undefined || 'key' in reading) return [];
    return [{ place: file, key, value: shownValue(value), cure: reading.problem }];
  });
}

/** Undefined: none is named. Throws `dlq_key` when one cannot be used. */
export function dlqKeys({ encryptionKey, oldEncryptionKey }: Named): Keys | undefined {
  if (encryptionKey === undefined && oldEncryptionKey === undefined) return undefined;
  const current = encryptionKey === undefined ? undefined : keyOf(encryptionKey);
  return new Keys(current, oldEncryptionKey === undefined ? [] : [keyOf(oldEncryptionKey)]);
}

function keyOf(named: string): Buffer {
  const reading = readKey(named);
  if ('key' in reading) return reading.key;
  throw new SpillwayError('dlq_key', `the key ${named} cannot be used: ${reading.problem}`);
}
