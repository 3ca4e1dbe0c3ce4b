/**
 * Asks a running daemon through its control socket. Main thread of a command; one connection per question.
 */
import { createConnection } from 'node:net';
import { SpillwayError } from '../base/errors.ts';
import { type Ask, controlLineBytesMax, type Reply } from './control-messages.ts';

export interface Asked {
  /** Rejects when the daemon answers with an error, with its code; ends with `facts` or `done`. */
  readonly replies: AsyncIterable<Reply>;
  /** The daemon finishes what it has begun and says how far it came. */
  stop(): void;
}

/**
 * Rejects with the system's error (`code` ENOENT, ECONNREFUSED, EACCES, ...) when nobody answers at `path`. A daemon that says nothing for
 * `silenceMsMax`, if that is given, has its question taken back: `daemon_silent`.
 */
export async function askDaemon(path: string, ask: Ask, silenceMsMax = 0): Promise<Asked> {
  const socket = createConnection({ path });
  socket.setTimeout(silenceMsMax, () => {
    socket.destroy(new SpillwayError('daemon_silent', `it has said nothing for ${silenceMsMax / 1_000} s`));
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  socket.setEncoding('utf8');
  socket.write(`${JSON.stringify(ask)}\n`);
  async function* replies(): AsyncGenerator<Reply> {
    let text = '';
    try {
      for await (const chunk of socket as AsyncIterable<string>) {
        text += chunk;
        for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
          const reply = JSON.parse(text.slice(0, end)) as Reply;
          text = text.slice(end + 1);
          if (reply.reply === 'error') throw new SpillwayError(reply.code, reply.message);
          yield reply;
          if (reply.reply !== 'progress') return;
        }
        if (text.length > controlLineBytesMax) break;
      }
    } catch (error) {
      if (error instanceof SpillwayError) throw error;
      throw ended(error);
    } finally {
      socket.destroy();
    }
    throw ended(undefined);
  }
  return { replies: replies(), stop: () => socket.write('{"ask":"stop"}\n') };
}

function ended(cause: unknown): SpillwayError {
  const message = 'the daemon ended before it had answered: what was done until then stays done; start again';
  return new SpillwayError('daemon_gone', message, cause === undefined ? {} : { cause });
}
