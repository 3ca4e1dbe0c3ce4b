/**
 * A Kinesis of one stream in virtual time, for tests of the delivery: shards are ranges that split and merge, requests and
 * records fail, answers come late or never, the stream is deleted and made anew. Test processes only.
 *
 * It keeps what it stored with what a consumer gets to see of it, judged by the simulator's reader, which shares no code with the
 * daemon: {@link StoredRecord.readable}. Records of one request are stored in no particular order, as PutRecords promises none.
 */
import { createHash } from 'node:crypto';
import type { ShardRange } from '../../src/batch/shard-ranges.ts';
import type { Kinesis, StreamSummary } from '../../src/edges/kinesis.ts';
import type { PreparedBody, PutRecordsAnswer, RecordAnswer } from '../../src/edges/put-protocol.ts';
import { unpackAsConsumer } from '../../src/simulator/consumer.ts';
import type { RandomSequence } from '../../src/simulator/random-sequence.ts';
import {
  type ModelFaults,
  type ModelRequest,
  named,
  noFaults,
  readRequest,
  requestErrors,
  type WireRecord,
} from './model-request.ts';
import { ModelShards } from './model-shards.ts';
import type { VirtualTime } from './virtual-time.ts';

export interface StoredRecord {
  /** Place in the order in which records were stored. */
  readonly sequence: number;
  readonly storedMs: number;
  /** Which stream of this name: deleted ones are gone with what they held. */
  readonly incarnation: number;
  readonly events: readonly number[];
  /** A consumer gets its events to see. */
  readonly readable: boolean;
  readonly request: ModelRequest;
}

export class ModelKinesis implements Kinesis {
  readonly stored: StoredRecord[] = [];
  readonly inFlight = new Set<ModelRequest>();
  /** Events that Kinesis takes in no request. */
  readonly poison = new Set<number>();
  /** What must never happen and did. */
  readonly broken: string[] = [];
  faults: ModelFaults = { ...noFaults };
  placesByKey: boolean | undefined = true;
  recordBytesMax: number | undefined;
  requests = 0;
  probes = 0;
  exists = false;
  /** Somebody was told that it does not exist. */
  isMissed = false;
  incarnation = 0;
  /** When the stream went over to AUTO. */
  readonly autoMs: number[] = [];
  readonly #time: VirtualTime;
  readonly #dice: RandomSequence;
  readonly #shards: ModelShards;
  #createdMs = 0;

  constructor(time: VirtualTime, dice: RandomSequence, shards: number) {
    this.#time = time;
    this.#dice = dice;
    this.#shards = new ModelShards(dice);
    this.create(shards);
  }

  get shardCount(): number {
    return this.#shards.openCount;
  }

  create(shards: number): void {
    this.incarnation++;
    this.#createdMs = this.#time.nowMs;
    this.exists = true;
    this.#shards.create(shards);
  }

  delete(): void {
    this.exists = false;
    this.isMissed = false;
  }

  split(): void {
    this.#shards.split();
  }

  merge(): void {
    this.#shards.merge();
  }

  putRecords({ body, sha256 }: PreparedBody): Promise<PutRecordsAnswer> {
    this.requests++;
    const request = readRequest(body, sha256, this.#time.nowMs);
    this.inFlight.add(request);
    return new Promise((resolve, reject) => {
      this.#time.after(this.#dice.next() * 20, () => {
        const outcome = this.#arrived(request);
        const late = this.#dice.next() < this.faults.answerLate;
        this.#time.after(this.#dice.next() * (late ? 6_000 : 30), () => {
          this.#checkBody(request);
          this.inFlight.delete(request);
          request.answeredMs = this.#time.nowMs;
          if (outcome instanceof Error) this.#reject(outcome, reject);
          else resolve(outcome);
        });
      });
    });
  }

  /** As Kinesis does: who it lets in hears that something is missing. */
  probe(): Promise<void> {
    this.probes++;
    return this.#asked(() => {
      throw this.#unwell() ?? named('ValidationException');
    }, 0);
  }

  describe(): Promise<StreamSummary> {
    return this.#asked(() => {
      if (this.faults.describeDenied) throw named('AccessDeniedException');
      const { placesByKey, recordBytesMax } = this;
      return { createdMs: this.#createdMs, placesByKey, recordBytesMax };
    });
  }

  listShards(closed: boolean): Promise<ShardRange[]> {
    return this.#asked(() => {
      const hole = this.#dice.next() < this.faults.surveyFailed;
      return this.#shards
        .list(closed)
        .slice(hole && !closed ? 1 : 0)
        .map(({ id, start, end }) => ({ shardId: id, startingHashKey: `${start}`, endingHashKey: `${end}` }));
    });
  }

  destroy(): void {}

  #asked<T>(answer: () => T, failed = this.faults.surveyFailed): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#time.after(this.#dice.next() * 20, () => {
        let outcome: T | Error;
        try {
          if (!this.exists) throw named('ResourceNotFoundException');
          if (this.#dice.next() < failed) throw named('LimitExceededException');
          outcome = answer();
        } catch (error) {
          outcome = error as Error;
        }
        this.#time.after(this.#dice.next() * 30, () => {
          if (outcome instanceof Error) this.#reject(outcome, reject);
          else resolve(outcome);
        });
      });
    });
  }

  #reject(error: Error, reject: (error: Error) => void): void {
    if (error.name === 'ResourceNotFoundException') this.isMissed = true;
    reject(error);
  }

  /** A body belongs to Kinesis until the answer: a socket may read it at any time, and the signature covers it. */
  #checkBody({ body, sha256 }: ModelRequest): void {
    if (createHash('sha256').update(body).digest('hex') !== sha256) this.broken.push('a body changed on its way');
  }

  #arrived(request: ModelRequest): PutRecordsAnswer | Error {
    this.#checkBody(request);
    if (!this.exists) return named('ResourceNotFoundException');
    const unwell = this.#unwell();
    if (unwell !== undefined) return unwell;
    if (request.records.some(({ events }) => events.some((event) => this.poison.has(event)))) {
      return named('InvalidArgumentException');
    }
    request.isAmbiguous = this.#dice.next() < this.faults.answerLost;
    const answers = this.#store(request);
    if (!request.isAmbiguous) return { Records: answers };
    return this.#dice.next() < 0.5 ? named('ECONNRESET') : { Records: answers.slice(1) };
  }

  /** Why a request is not looked at. */
  #unwell(): Error | undefined {
    const { outage, requestFailed } = this.faults;
    if (outage) return named('ServiceUnavailableException');
    if (this.#dice.next() >= requestFailed) return undefined;
    return named(requestErrors[this.#dice.below(requestErrors.length)] as string);
  }

  #store(request: ModelRequest): RecordAnswer[] {
    const answers: RecordAnswer[] = [];
    const order = request.records.map((_, i) => i);
    for (let i = order.length - 1; i > 0; i--) {
      const other = this.#dice.below(i + 1);
      [order[i], order[other]] = [order[other] as number, order[i] as number];
    }
    const aggregates = order.filter((i) => (request.records[i] as WireRecord).isAggregate);
    const tellers = aggregates.length > 0 ? aggregates : order;
    const aside = tellers[this.#dice.below(tellers.length)];
    for (const i of order) answers[i] = this.#storeOne(request, request.records[i] as WireRecord, i === aside);
    return answers;
  }

  /** `astray`: under AUTO this record does not come to where its key belongs, so that the answer tells of AUTO. */
  #storeOne(request: ModelRequest, record: WireRecord, astray: boolean): RecordAnswer {
    const dice = this.#dice.next();
    const { recordThrottled, recordFailed } = this.faults;
    if (!astray || this.placesByKey !== false) {
      if (dice < recordThrottled) return { ErrorCode: 'ProvisionedThroughputExceededException' };
      if (dice < recordThrottled + recordFailed) return { ErrorCode: 'InternalFailure' };
    }
    const { data, partitionKey, hashKey, events } = record;
    const shard = this.placesByKey === false ? this.#shards.any(astray ? hashKey : -1n) : this.#shards.of(hashKey);
    const seen = unpackAsConsumer(data, partitionKey, `${hashKey}`, shard.start, shard.end);
    const sequence = this.stored.push({
      sequence: this.stored.length,
      storedMs: this.#time.nowMs,
      incarnation: this.incarnation,
      events,
      readable: seen.dropped === 0 && !(seen.aggregate && this.placesByKey === false),
      request,
    });
    return { ShardId: shard.id, SequenceNumber: `${sequence - 1}` };
  }
}
