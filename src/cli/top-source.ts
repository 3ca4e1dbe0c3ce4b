/**
 * Where `spillway top` has its numbers from: the control socket of a state directory, or the HTTP listener of a daemon. Main thread of
 * a command; one question at a time, and nothing is kept between two.
 */
import type { IncomingMessage } from 'node:http';
import { resolve } from 'node:path';
import { SpillwayError, toPlainError } from '../base/errors.ts';
import { HttpRequester, readText } from '../client/http-requester.ts';
import { requireConfig } from '../daemon/config.ts';
import { askDaemon } from '../daemon/control-client.ts';
import { controlPath } from '../daemon/control-messages.ts';
import { loadNamed } from '../daemon/load.ts';
import type { Status } from '../daemon/status.ts';
import { type AccessFlags, accessOf } from './http-access.ts';

export interface SourceFlags extends AccessFlags {
  readonly config?: string;
  readonly stateDir?: string;
  readonly to?: string;
}

export interface Answer {
  /** Undefined where HTTP was asked, which does not say. */
  readonly pid: number | undefined;
  readonly status: Status;
}

export interface Source {
  /** As people know it. */
  readonly name: string;
  /** Rejects with `daemon_silent` when nobody answers, `denied` when this user may not ask; both say what to do. */
  ask(): Promise<Answer>;
}

/** A daemon that has no time to answer for so long is as good as gone, in ms. */
const answerMsMax = 5_000;

/** Throws `usage`, `config`, or `file_unreadable`. */
export function sourceOf(flags: SourceFlags): Source {
  const { config, stateDir, to } = flags;
  if ([config, stateDir, to].filter((flag) => flag !== undefined).length > 1) {
    throw new SpillwayError('usage', '--config, --state-dir and --to each name the daemon: give one of them');
  }
  if (to !== undefined) return httpSource(to, flags);
  if ((flags.ca ?? flags.tokenFile ?? flags.cert ?? flags.certKey) !== undefined) {
    throw new SpillwayError('usage', '--ca, --token-file, --cert and --cert-key go with --to');
  }
  return controlSource(stateDir === undefined ? configured(config) : resolve(stateDir));
}

function configured(named: string | undefined): string {
  try {
    return requireConfig(loadNamed(named, undefined, false)).daemon.stateDir;
  } catch (error) {
    const { code, message } = toPlainError(error);
    if (code !== 'config' || !message.startsWith('no configuration')) throw error;
    throw new SpillwayError(
      'config',
      `${message}, or the state directory with --state-dir, or its HTTP listener with --to`,
      {
        cause: error,
      },
    );
  }
}

function controlSource(stateDir: string): Source {
  const path = controlPath(stateDir);
  return {
    name: stateDir,
    async ask() {
      try {
        const { replies } = await askDaemon(path, { ask: 'status' }, answerMsMax);
        for await (const reply of replies) {
          if (reply.reply !== 'status') continue;
          return { pid: reply.pid, status: reply.status };
        }
        throw new SpillwayError('daemon_gone', 'the daemon ended before it had answered');
      } catch (error) {
        throw silent(path, error);
      }
    },
  };
}

function silent(path: string, cause: unknown): SpillwayError {
  const { code, message } = toPlainError(cause);
  if (code === 'EACCES' || code === 'EPERM') {
    return new SpillwayError('denied', `${path}: no permission: run this as the daemon's user (sudo -u spillway ...)`, {
      cause,
    });
  }
  const why = code === 'ENOENT' || code === 'ECONNREFUSED' ? 'nobody listens there' : message;
  return new SpillwayError(
    'daemon_silent',
    `no daemon answers on ${path}: ${why}; is it running, and is this the state_dir of its configuration?`,
    { cause },
  );
}

function httpSource(to: string, flags: AccessFlags): Source {
  const url = urlOf(to);
  const requester = new HttpRequester(url.origin, accessOf(url.href, flags));
  return {
    name: url.host,
    async ask() {
      let answer: { readonly status: number; readonly text: string };
      try {
        answer = await get(requester, new URL('/v1/status', url));
      } catch (error) {
        const { message } = toPlainError(error);
        throw new SpillwayError('daemon_silent', `no daemon answers on ${url.href}: ${message}`, { cause: error });
      }
      if (answer.status === 401) {
        throw new SpillwayError('denied', `${url.href}: no permission: give a token that it knows with --token-file`);
      }
      return { pid: undefined, status: documentOf(url, answer.text) };
    },
  };
}

async function get(requester: HttpRequester, url: URL): Promise<{ readonly status: number; readonly text: string }> {
  const signal = AbortSignal.timeout(answerMsMax);
  const incoming = await new Promise<IncomingMessage>((onAnswer, onError) => {
    requester.request(url, { method: 'GET', headers: {}, signal }, onAnswer).once('error', onError).end();
  });
  const status = incoming.statusCode ?? 0;
  const text = await readText(incoming);
  if (status >= 300 && status !== 401) throw new Error(`status ${status}`);
  return { status, text };
}

function urlOf(to: string): URL {
  const url = URL.canParse(to) ? new URL(to) : undefined;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
  throw new SpillwayError('usage', `--to ${to}: give the address of an HTTP listener, such as http://127.0.0.1:7070`);
}

function documentOf(url: URL, text: string): Status {
  try {
    const status = JSON.parse(text) as Partial<Status>;
    if (status.ledger !== undefined && status.streams !== undefined) return status as Status;
  } catch {
    // The same as another document.
  }
  throw new SpillwayError('daemon_silent', `what answers on ${url.href} is no spillway: /v1/status is not its own`);
}
