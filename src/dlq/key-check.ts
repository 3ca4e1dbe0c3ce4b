/**
 * Whether all segments that are encrypted can be opened: asked by a start and by commands before anything is changed. Main thread;
 * pure. A segment whose head is damaged cannot be judged here: what of it cannot be opened is damage.
 */
import { SpillwayError } from '../base/errors.ts';
import { type Keys, keyIdText } from './encryption.ts';

/** Throws `dlq_key`, which names the keys that are missing and the cure. */
export function requireKeys(
  encrypted: readonly { readonly name: string; readonly keyId: number }[],
  keys: Keys | undefined,
): void {
  const missing = encrypted.filter(({ keyId }) => keys?.has(keyId) !== true);
  const [first] = missing;
  if (first === undefined) return;
  const ids = [...new Set(missing.map(({ keyId }) => keyIdText(keyId)))].slice(0, 4).join(', ');
  const many = missing.length === 1 ? first.name : `${first.name} and ${missing.length - 1} more`;
  const given =
    keys === undefined || keys.ids.length === 0
      ? 'no key is given'
      : `the key given has id ${keys.ids.map(keyIdText).join(', ')}`;
  throw new SpillwayError(
    'dlq_key',
    `${many}: encrypted with the key of id ${ids}, and ${given}: name its file in dlq.encryption_key, ` +
      'or in dlq.old_encryption_key beside a new one (spillway dlq: --key-file); nothing was changed',
  );
}
