/**
 * The partition key of one JSON line, in the sender's process: `spillway send --key`. It is the daemon's own search
 * (ingress/json-key.ts), so that a line has one key whoever takes it: numbers as they are written, the first of two fields of
 * one name, dots within a name as `\\.`.
 */
import { compileKeyPath, KeyFinder, KeyStatus, keyScratchBytes } from '../ingress/json-key.ts';
import { isValue } from '../ingress/json-scan.ts';

export type JsonKey =
  | { readonly kind: 'key'; readonly key: string }
  | { readonly kind: 'refused'; readonly code: 'bad_json' | 'missing_key' | 'key_not_utf8'; readonly message: string };

const initialBytes = 65_536;

export class JsonField {
  readonly #path: ReturnType<typeof compileKeyPath>;
  #bytes = Buffer.alloc(0);
  #finder!: KeyFinder;

  /** `field`: names joined by dots. Throws `bad_key_field`. */
  constructor(field: string) {
    this.#path = compileKeyPath(field);
    this.#grow(initialBytes);
  }

  /** The string or number at the field in `line`. An empty string is no key. */
  keyOf(line: Buffer): JsonKey {
    if (keyScratchBytes + line.length > this.#bytes.length) this.#grow(2 * (keyScratchBytes + line.length));
    line.copy(this.#bytes, keyScratchBytes);
    const end = keyScratchBytes + line.length;
    const status = this.#finder.find(keyScratchBytes, end);
    if (status === KeyStatus.notUtf8) return refused('key_not_utf8', 'the partition key is not UTF-8');
    const isJson = status !== KeyStatus.malformed && isValue(this.#bytes, keyScratchBytes, end);
    if (!isJson) return refused('bad_json', 'not valid JSON');
    const { keyOffset, keyLength } = this.#finder;
    if (status === KeyStatus.found && keyLength > 0) {
      return { kind: 'key', key: this.#bytes.toString('utf8', keyOffset, keyOffset + keyLength) };
    }
    return refused('missing_key', `no text or number at ${this.#path.text}`);
  }

  #grow(bytes: number): void {
    this.#bytes = Buffer.alloc(bytes);
    this.#finder = new KeyFinder(this.#bytes, 0, this.#path);
  }
}

function refused(code: 'bad_json' | 'missing_key' | 'key_not_utf8', message: string): JsonKey {
  return { kind: 'refused', code, message };
}
