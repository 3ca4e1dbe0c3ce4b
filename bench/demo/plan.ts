/**
 * The demo's day as a plan: which events are sent when, by how many senders, and when the endpoint dies. Pure: the same number
 * of events always gives the same plan.
 *
 * ```
 *   events/s        ┌───────────────────────┐
 *                   │ peak : outage  : back │
 *   ────────────────┘      :         :      └─────────
 *    morning                dies ────▶ back   evening
 * ```
 */

export type ChapterName = 'morning' | 'peak' | 'outage' | 'back' | 'evening';

export interface Chapter {
  readonly name: ChapterName;
  /** Numbers of its events: [from, to). */
  readonly from: number;
  readonly to: number;
  readonly senders: number;
  /** Of all its senders together. */
  readonly eventsPerSecond: number;
}

export const sendersMax = 6;
const morningSenders = 2;
/** How much more arrives at the peak than in the morning. */
const peakFactor = 5;

const seconds: readonly (readonly [ChapterName, number])[] = [
  ['morning', 5],
  ['peak', 3],
  ['outage', 7],
  ['back', 4],
  ['evening', 3],
];

/** Fewest events that still make a story: every sender has some in each chapter. */
export const eventsMin = 1_000;

/** `pace`: 1 is the speed that people can follow; 8 makes the day eight times shorter. */
export function planDay(events: number, pace: number): readonly Chapter[] {
  const weight = (name: ChapterName): number => (name === 'morning' || name === 'evening' ? 1 : peakFactor);
  const total = seconds.reduce((sum, [name, length]) => sum + length * weight(name), 0);
  const morningRate = events / total;
  let weighed = 0;
  return seconds.map(([name, length]) => {
    const from = Math.round((events * weighed) / total);
    weighed += length * weight(name);
    return {
      name,
      from,
      to: Math.round((events * weighed) / total),
      senders: weight(name) === 1 ? morningSenders : sendersMax,
      eventsPerSecond: morningRate * weight(name) * pace,
    };
  });
}

/** A chapter in two, cut at `share` of its events. */
export function split(chapter: Chapter, share: number): readonly [Chapter, Chapter] {
  const middle = chapter.from + Math.round((chapter.to - chapter.from) * share);
  return [
    { ...chapter, to: middle },
    { ...chapter, from: middle },
  ];
}
