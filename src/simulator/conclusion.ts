/**
 * How a request ends: the operation runs and is answered, unless a fault strikes first, spoils the answer, or delays it. The
 * order of the faults is that of the request's life. Called by api.ts once the body is there.
 */
import type { Stored } from './account.ts';
import type { Answer, Exchange, RequestHead } from './exchange.ts';
import { deniedError, orderedError, skewError } from './ordered-errors.ts';
import type { PutContext } from './put.ts';
import type { Operation } from './shapes.ts';
import { ApiError, answerOf, decodeBody, errorAnswer, type Wire } from './wire.ts';

/** A request as the faults look at it. */
export interface Call {
  readonly operation: Operation;
  readonly wire: Wire;
  readonly head: RequestHead;
}

/** What a proxy or a captive portal may say with status 200. */
const garbage = '<html><body>Please sign in to continue.</body></html>\n';

export function conclude(context: PutContext, exchange: Exchange, call: Call, run: () => Answer): void {
  const { dice } = context;
  if (dice.plan.hang) return dice.count('hang');
  if (dice.plan.resetStage === 'before' && dice.strikes('resetShare')) return exchange.destroy();
  const refusal = refusalOf(context, call);
  const truth = refusal === undefined ? attempt(context, call.wire, run) : failure(context, call.wire, refusal);
  const stored = context.account.takeStored();
  const slowed = dice.takeSlowed();
  if (dice.plan.resetStage === 'after' && dice.strikes('resetShare')) {
    countUnanswered(stored);
    return exchange.destroy();
  }
  const answer = spoiled(context, call, truth);
  const cut = dice.strikes('cutShare');
  const delayMs = dice.delayMs(slowed);
  const send = (): void => {
    if (cut) exchange.cut(answer);
    const whole = !cut && exchange.answer(answer);
    if (!whole || answer !== truth) countUnanswered(stored);
  };
  if (delayMs > 0) setTimeout(send, delayMs);
  else send();
}

function countUnanswered(stored: Stored | undefined): void {
  if (stored !== undefined) stored.stream.unansweredEvents += stored.events;
}

/** The error that a fault has for a request before it is looked at. */
function refusalOf({ dice }: PutContext, { operation, head }: Call): ApiError | undefined {
  const { clockOffsetMs, denyOperations, errorShare, errorOperations } = dice.plan;
  if (clockOffsetMs !== 0) {
    const skew = skewError(head.headers.get('x-amz-date') ?? '', Date.now() + clockOffsetMs);
    if (skew !== undefined) {
      dice.count('clockOffsetMs');
      return skew;
    }
  }
  if (denyOperations.includes(operation)) {
    dice.count('denyOperations');
    return deniedError(operation);
  }
  const meant = errorShare > 0 && (errorOperations.length === 0 || errorOperations.includes(operation));
  if (meant && dice.strikes('errorShare')) return orderedError(dice.plan);
  return dice.strikes('share500') ? internalFailure() : undefined;
}

function attempt(context: PutContext, wire: Wire, run: () => Answer): Answer {
  try {
    return run();
  } catch (error) {
    if (error instanceof ApiError) return failure(context, wire, error);
    // A bug of the simulator: the client sees what AWS would show, the operator the whole story.
    process.stderr.write(`simulator: ${error instanceof Error ? error.stack : String(error)}\n`);
    return failure(context, wire, internalFailure());
  }
}

/** Counts an error and puts it into words. */
export function failure({ tally }: PutContext, wire: Wire, error: ApiError): Answer {
  tally.count(tally.errors, error.type);
  return errorAnswer(wire, error);
}

function internalFailure(): ApiError {
  return new ApiError('InternalFailure', '', 500);
}

/** The answer as the client gets it. Only successes are spoiled: an error would only be taken for another one. */
function spoiled({ dice }: PutContext, { operation, wire }: Call, answer: Answer): Answer {
  if (answer.status !== 200) return answer;
  if (dice.strikes('garbageShare')) return { ...answer, body: garbage };
  if (operation !== 'PutRecords' || !dice.strikes('miscountShare')) return answer;
  const value = decodeBody(wire, Buffer.from(answer.body as string | Buffer));
  const records = value['Records'] as unknown[];
  const miscounted = dice.below(2) === 0 ? records.slice(0, -1) : [...records, records.at(-1)];
  return answerOf(wire, 200, { ...value, Records: miscounted });
}
