/**
 * The daemon's alerts at work: samples and evaluates on a timer, logs what fires and clears, and has it brought to the command and
 * the webhook of [notify]. Main thread; the daemon makes one when all parts are there, and closes it when it drains.
 */
import { isDeepStrictEqual } from 'node:util';
import { alertFields, alertMessage } from '../alerts/alert-text.ts';
import { type AlertNotice, type AlertStatus, Alerts } from '../alerts/alerts.ts';
import { Courier } from '../alerts/courier.ts';
import { AlertCommand } from '../edges/alert-command.ts';
import { systemAfter } from '../edges/clock.ts';
import { Webhook } from '../edges/webhook.ts';
import type { Log } from '../observe/log.ts';
import type { Config, NotifyConfig } from './config.ts';
import type { Gauges } from './gauges.ts';

/** An alert is seen at most so much after its threshold was passed. */
export const evaluateMs = 250;

/** How often a document is posted in all before it is given up. A command is run once: nobody knows how far it came. */
const webhookTries = 4;

export interface AlertingParts {
  readonly config: Config;
  readonly gauges: Gauges;
  readonly log: Log;
  readonly nowMs: () => number;
  /** Named in what command and webhook get. */
  readonly host: string;
}

/** Where notices go, and how it ends. */
interface Way {
  readonly courier: Courier;
  readonly close: () => void;
}

export class Alerting {
  readonly #parts: AlertingParts;
  readonly #alerts: Alerts;
  #ways: readonly Way[];
  readonly #timer: NodeJS.Timeout;

  constructor(parts: AlertingParts) {
    const { config, gauges } = parts;
    this.#parts = parts;
    this.#ways = this.#waysOf(config.notify);
    this.#alerts = new Alerts(
      config.alerts,
      config.streams.map(({ name }) => name),
      (notice) => this.#tell(notice),
    );
    gauges.sample();
    this.#timer = setInterval(() => this.#evaluate(), evaluateMs);
  }

  get status(): AlertStatus[] {
    return this.#alerts.status;
  }

  /** Names of the active alerts. */
  get active(): string[] {
    return this.#alerts.active;
  }

  /** Where [notify] has changed, command and webhook begin anew: what waited for the old ones is not brought any more. */
  reload({ alerts, notify }: Config, before: NotifyConfig): void {
    if (!isDeepStrictEqual(notify, before)) {
      this.#closeWays();
      this.#ways = this.#waysOf(notify);
    }
    this.#alerts.reload(alerts, this.#parts.nowMs());
  }

  close(): void {
    clearInterval(this.#timer);
    this.#closeWays();
  }

  #evaluate(): void {
    const { gauges, nowMs } = this.#parts;
    const { readings } = gauges;
    gauges.sample();
    this.#alerts.evaluate((measure, stream) => readings.value(measure, stream), nowMs());
  }

  #tell(notice: AlertNotice): void {
    const { log, nowMs } = this.#parts;
    const fields = alertFields(notice);
    const message = alertMessage(notice);
    log[notice.change === 'fired' ? 'warn' : 'info']('alert', message, fields);
    const { alert: name, ...rest } = fields;
    const document = { name, ...rest, time: new Date(nowMs()).toISOString(), message };
    for (const { courier } of this.#ways) courier.offer(document);
  }

  #waysOf({ command, webhook, timeoutMs, intervalMs }: NotifyConfig): Way[] {
    const ways: Way[] = [];
    const [program, ...words] = command ?? [];
    if (program !== undefined) {
      const runs = new AlertCommand([program, ...words], timeoutMs);
      ways.push(
        this.#way(
          'alert_command',
          (body) => runs.run(body),
          () => runs.close(),
          intervalMs,
          1,
        ),
      );
    }
    if (webhook !== undefined) {
      const posts = new Webhook(webhook, timeoutMs);
      ways.push(
        this.#way(
          'alert_webhook',
          (body) => posts.post(body),
          () => posts.close(),
          intervalMs,
          webhookTries,
        ),
      );
    }
    return ways;
  }

  #way(code: string, send: (body: string) => Promise<void>, end: () => void, intervalMs: number, tries: number): Way {
    const { log, nowMs, host } = this.#parts;
    const courier = new Courier({
      deliver: (alerts, lost) => send(`${JSON.stringify({ version: 1, host, lost, alerts })}\n`),
      nowMs,
      after: systemAfter,
      intervalMs,
      tries,
      onFailing: (error) => log.failure(error),
      onWell: (lost) => log.info('error', `alerts are brought again; ${lost} could not be`, { code, retryable: true }),
    });
    return {
      courier,
      close: () => {
        courier.close();
        end();
      },
    };
  }

  #closeWays(): void {
    for (const { close } of this.#ways) close();
  }
}
