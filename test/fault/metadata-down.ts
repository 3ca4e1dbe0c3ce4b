/**
 * Takes the instance metadata service away from a daemon under light traffic for longer than its credentials live, and brings it
 * back. Used by metadata-down.test.ts and, with half a minute, by test/long/metadata-down.ts.
 */
import { setTimeout as after } from 'node:timers/promises';
import { type Ending, Rig, until } from '../daemon/running.ts';
import { metadataServiceFor } from '../edges/metadata-service.ts';

export interface OutagePlan {
  /** How long a set of credentials lives. The service says so: a short life stands for hours, the code compares the same two times. */
  readonly lifeSeconds: number;
  /** Longer than they live. */
  readonly downMs: number;
  readonly eventsPerSecond: number;
}

export interface OutageReport {
  readonly accepted: number;
  readonly refused: number;
  readonly lost: number;
  readonly delivered: number;
  /** Delivered while the service was away and the credentials had ended, which nothing may be. */
  readonly deliveredLate: number;
  /** From the service's return to the next delivery. */
  readonly recoveredMs: number;
  /** Of the log: each line that names a failed request. */
  readonly lines: readonly { readonly msg: string; readonly cause: string }[];
  readonly exitCode: number | null;
}

/** Beyond the life of the last set, and a request that was on its way. */
const endedMs = 1_000;

export async function loseMetadata(ending: Ending, plan: OutagePlan): Promise<OutageReport> {
  const { lifeSeconds, downMs, eventsPerSecond } = plan;
  const service = await metadataServiceFor(ending);
  service.faults({ lifeSeconds });
  const rig = await Rig.start(ending);
  const none = { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined };
  const daemon = await rig.daemon('linger = "20ms"', '', { environment: { ...service.env, ...none } });
  let accepted = 0;
  let refused = 0;
  let sent = 0;
  const state = { sending: true };
  const traffic = (async () => {
    const perTurn = Math.ceil(eventsPerSecond / 20);
    while (state.sending) {
      const answer = await rig.send(daemon.socket, sent, sent + perTurn);
      sent += perTurn;
      accepted += answer.accepted;
      refused += answer.refused;
      await after(50);
    }
  })();
  const delivered = async (): Promise<number> => (await daemon.ledger()).delivered;
  await until(delivered, (count) => count > eventsPerSecond);
  service.faults({ down: true });
  await after(lifeSeconds * 1_000 + endedMs);
  const before = await delivered();
  await after(downMs - lifeSeconds * 1_000 - endedMs);
  const lastBefore = await delivered();
  const startMs = performance.now();
  service.faults({ lifeSeconds });
  await until(delivered, (count) => count > lastBefore);
  const recoveredMs = performance.now() - startMs;
  state.sending = false;
  await traffic;
  const ledger = await until(
    () => daemon.ledger(),
    ({ delivered: count, dlq }) => count >= accepted && dlq === 0,
  );
  const oracle = await rig.readBack(sent);
  const lines = daemon.log
    .filter(({ kind, msg }) => kind === 'error' && /requests? fail/.test(msg))
    .map(({ msg, details }) => ({ msg, cause: String((details as { cause?: string } | undefined)?.cause) }));
  return {
    accepted,
    refused,
    lost: oracle.counts().lost,
    delivered: ledger.delivered,
    deliveredLate: lastBefore - before,
    recoveredMs,
    lines,
    exitCode: await daemon.stop(),
  };
}
