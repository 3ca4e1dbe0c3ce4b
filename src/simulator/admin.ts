/**
 * The admin API, below `/_sim/`: figures, faults, reading back. An application of the transports; one per simulator.
 *
 * | request | answer |
 * |---|---|
 * | `GET /_sim/stats` | connections, requests, records, faults that struck, records by shard |
 * | `POST /_sim/faults` | puts exactly these faults in force, answers all of them |
 * | `GET /_sim/events?stream=S&after=N&limit=M` | user events, one a line, KPL aggregates unpacked as the KCL does |
 * | `POST /_sim/reset` | forgets figures, shard budgets and records; streams and faults stay |
 */
import type { Account } from './account.ts';
import type { Dice } from './dice.ts';
import { eventLines } from './events.ts';
import {
  type Answer,
  type Application,
  type BodySink,
  collectBody,
  contentLength,
  type Exchange,
  type RequestHead,
} from './exchange.ts';
import { type FaultPlan, planOf } from './faults.ts';
import type { Tally } from './tally.ts';

export interface AdminParts {
  readonly account: Account;
  readonly dice: Dice;
  readonly tally: Tally;
  readonly seed: number;
  /** Puts a plan in force; resolves when it is, and the API's port is open or closed as it says. */
  readonly enforce: (plan: FaultPlan) => Promise<void>;
}

export class AdminApi implements Application {
  readonly #parts: AdminParts;

  constructor(parts: AdminParts) {
    this.#parts = parts;
  }

  open(head: RequestHead): BodySink {
    return collectBody(contentLength(head), (body, exchange) => {
      const { pathname, searchParams } = new URL(head.path, 'http://simulator');
      const route = `${head.method} ${pathname}`;
      if (route === 'POST /_sim/faults') void this.#faults(body ?? Buffer.alloc(0), exchange);
      else exchange.answer(this.#answer(route, searchParams));
    });
  }

  #answer(route: string, query: URLSearchParams): Answer {
    switch (route) {
      case 'GET /_sim/stats':
        return json(200, this.#stats());
      case 'GET /_sim/events':
        return this.#events(query);
      case 'POST /_sim/reset':
        this.#parts.account.forget();
        this.#parts.tally.forget();
        this.#parts.dice.forget();
        return json(200, {});
      default:
        return json(404, { error: 'GET /_sim/stats, POST /_sim/faults, GET /_sim/events?stream=S, POST /_sim/reset' });
    }
  }

  #stats(): object {
    const { account, dice, tally } = this.#parts;
    return {
      connections: { open: tally.openConnections, opened: tally.openedConnections, tlsOpened: tally.tlsConnections },
      requests: Object.fromEntries(tally.requests),
      errors: Object.fromEntries(tally.errors),
      records: { accepted: tally.acceptedRecords, failed: tally.failedRecords },
      userBytes: tally.userBytes,
      bodyBytes: tally.bodyBytes,
      wires: tally.wires,
      faultsFired: dice.fired(),
      streams: Object.fromEntries(
        account.list().map((stream) => [
          stream.name,
          {
            events: stream.nextEvent - 1,
            aggregates: stream.aggregates,
            droppedAggregates: stream.droppedAggregates,
            droppedEvents: stream.droppedEvents,
            unansweredEvents: stream.unansweredEvents,
            evictedRecords: stream.evictedRecords,
            splits: stream.splits,
            merges: stream.merges,
            shards: stream.shards.map(({ id, records, bytes, closedMs }) => ({
              id,
              records,
              bytes,
              open: closedMs === undefined,
            })),
          },
        ]),
      ),
    };
  }

  /** Answers when the faults are in force, and the port is open where it is to be. */
  async #faults(body: Buffer, exchange: Exchange): Promise<void> {
    let order: unknown;
    try {
      order = body.length === 0 ? {} : JSON.parse(body.toString('utf8'));
    } catch (error) {
      exchange.answer(json(400, { error: `the faults must be JSON: ${(error as Error).message}` }));
      return;
    }
    const planned = planOf(order, this.#parts.seed);
    if ('mistakes' in planned) {
      exchange.answer(json(400, { error: planned.mistakes.join('; ') }));
      return;
    }
    try {
      await this.#parts.enforce(planned.plan);
      exchange.answer(json(200, planned.plan));
    } catch (error) {
      exchange.answer(json(500, { error: error instanceof Error ? error.message : String(error) }));
    }
  }

  #events(query: URLSearchParams): Answer {
    const name = query.get('stream') ?? '';
    const stream = this.#parts.account.find(name);
    if (stream === undefined)
      return json(404, { error: `no stream named ${JSON.stringify(name)}; name one with ?stream=` });
    const [after, limit] = [Number(query.get('after') ?? 0), Number(query.get('limit') ?? Number.MAX_SAFE_INTEGER)];
    if (!(after >= 0) || !(limit >= 0)) return json(400, { error: 'after and limit are numbers from 0' });
    return { status: 200, contentType: 'application/x-ndjson', body: eventLines(stream, after, limit) };
  }
}

function json(status: number, value: object): Answer {
  return { status, contentType: 'application/json', body: `${JSON.stringify(value)}\n` };
}
