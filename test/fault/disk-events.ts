/**
 * The events of the lives on the model disk, told by their numbers, and what is known of them from outside. Test processes only;
 * pure.
 */
import { Reason } from '../../src/dlq/reasons.ts';
import { type Event, eventOf, longDataOf } from '../dlq/queue.ts';

export const streams = 2;

/** What is known of a life from outside, by numbers of events. */
export interface Story {
  /** Promised to be on disk. */
  readonly acknowledged: Set<number>;
  /** Delivered, before the place of the replay was told to the DLQ; or thrown away by an operator. */
  readonly done: Set<number>;
  /** Numbers below were offered. */
  next: number;
  /** What must never happen, and did. */
  readonly broken: string[];
  /** How many turns are over. */
  turns: number;
}

export function emptyStory(): Story {
  return { acknowledged: new Set(), done: new Set(), next: 0, broken: [], turns: 0 };
}

/** The story as it is now, which may go on. */
export function copyOf(story: Story): Story {
  const { acknowledged, done, broken } = story;
  return { ...story, acknowledged: new Set(acknowledged), done: new Set(done), broken: [...broken] };
}

/** Every eleventh is a dead letter. */
export const isDead = (id: number): boolean => id % 11 === 5;
/** One in three of the others enters a ring and the journal, where there is one. */
export const isJournalled = (id: number): boolean => id % 3 === 1 && !isDead(id);
/** One in four is not delivered when it comes back, but set aside anew. */
export const comesBack = (id: number): boolean => id % 4 === 0;

/** Event number `id` as it is offered; even numbers go to the first stream. */
export const attempted = (id: number): Event => ({
  ...eventOf(id, longDataOf(id)),
  stream: id % streams,
  reason: isDead(id) ? Reason.rejected : Reason.saturated,
});

/** Why an event that was offered otherwise may come back, without an attempt: from the journal, or sent again by an operator. */
const laterReasons: readonly number[] = [Reason.journalled, Reason.operator];

/** The number of an event that is as it was offered. */
export function numberOf(event: Event, { next, broken }: Pick<Story, 'next' | 'broken'>): number {
  const id = Number(event.data.split(':')[0]);
  const offered = id < next ? attempted(id) : undefined;
  const isLater = laterReasons.includes(event.reason) && event.attempts === 0;
  const expected = offered !== undefined && isLater ? { ...offered, reason: event.reason, attempts: 0 } : offered;
  const same = (Object.keys(event) as (keyof Event)[]).every((field) => event[field] === expected?.[field]);
  if (!same) broken.push(`altered: ${JSON.stringify(event).slice(0, 120)}`);
  return id;
}
