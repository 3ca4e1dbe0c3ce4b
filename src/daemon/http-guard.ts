/**
 * What guards one HTTP listener while the daemon runs: its files, read at the start and again at a reload, and the log lines about who was
 * not let in and about a certificate that ends. Main thread; one per listener.
 */
import { isDeepStrictEqual } from 'node:util';
import { SpillwayError } from '../base/errors.ts';
import { type FileProblem, type ListenFiles, readListenFiles } from '../edges/listen-files.ts';
import { HttpGate } from '../ingress/http-gate.ts';
import type { Log } from '../observe/log.ts';
import type { HttpListenConfig } from './config.ts';

export interface HttpGuardOptions {
  readonly listener: HttpListenConfig;
  readonly log: Log;
  readonly nowMs: () => number;
}

const dayMs = 24 * 3_600_000;
/** A certificate that ends within so long is warned of, once a day. */
const warningMs = 14 * dayMs;

export class HttpGuard {
  readonly gate: HttpGate;
  readonly #options: HttpGuardOptions;
  readonly #address: string;
  #files: ListenFiles;
  #warnedMs = Number.NEGATIVE_INFINITY;

  /** Throws `listen_file` when a file cannot be used. */
  constructor(options: HttpGuardOptions) {
    const { listener, nowMs } = options;
    const reading = readListenFiles(listener);
    if (!reading.ok) throw new SpillwayError('listen_file', reading.problems.map(told).join('; '));
    this.#options = options;
    this.#address = `${listener.address.host}:${listener.address.port}`;
    this.#files = reading.files;
    this.gate = new HttpGate({
      files: reading.files,
      nowMs,
      onIntruder: ({ code, peer, cause, untold }) => {
        const others = untold === 0 ? '' : ` (and ${untold} others since the last such line)`;
        const message = `${peer} was not let in: ${cause}${others}`;
        options.log.warn('listener', message, { listener: this.#address, state: 'client', code, cause, peer, untold });
      },
    });
    this.tick();
  }

  /** What files hold now is in force from here on; one that cannot be used leaves all as they were, and is told. */
  renew(): readonly string[] {
    const reading = readListenFiles(this.#options.listener);
    if (!reading.ok) {
      const message = `what was read before stays in force: ${reading.problems.map(told).join('; ')}`;
      this.#options.log.error('listener', message, { listener: this.#address, state: 'failed', code: 'listen_file' });
      return [];
    }
    const before = this.#files;
    const { tls, tokens } = reading.files;
    const changed = [
      ...(isDeepStrictEqual(before.tls?.cert, tls?.cert) ? [] : ['cert_file']),
      ...(isDeepStrictEqual(before.tls?.key, tls?.key) ? [] : ['key_file']),
      ...(isDeepStrictEqual(before.tls?.clientCa, tls?.clientCa) ? [] : ['client_ca_file']),
      ...(isDeepStrictEqual(before.tokens, tokens) ? [] : ['token_file']),
    ];
    if (changed.length === 0) return [];
    this.#files = reading.files;
    this.gate.renew(reading.files);
    this.#warnedMs = Number.NEGATIVE_INFINITY;
    this.tick();
    return changed.map((option) => `listen ${this.#address}: contents of ${option}`);
  }

  /** Warns of the certificate's end, once a day. */
  tick(): void {
    const { tls } = this.#files;
    const nowMs = this.#options.nowMs();
    if (tls === undefined || tls.expiresMs - nowMs > warningMs || nowMs - this.#warnedMs < dayMs) return;
    this.#warnedMs = nowMs;
    const at = new Date(tls.expiresMs).toISOString();
    const isOver = tls.expiresMs <= nowMs;
    const message = `${this.#options.listener.certFile} ${isOver ? 'has expired, clients refuse it' : 'expires'}: ${at}; renew it and reload`;
    this.#options.log.warn('listener', message, {
      listener: this.#address,
      state: 'failed',
      code: isOver ? 'certificate_expired' : 'certificate_expires',
    });
  }
}

function told({ option, file, problem }: FileProblem): string {
  return `${option} ${file} ${problem}`;
}
