/**
 * What the main thread wants to hear from the lanes about what they give back: bits of one word in the arena, written by the main
 * thread, read by each lane once per turn and per record. While it is 0, which is always where nobody asks for more than ack
 * level `memory`, a lane says nothing and looks no further.
 */

export const Wanted = {
  nothing: 0,
  /** Some sender waits until what it sent is given back: say how far each ring is. */
  tails: 1,
  /** Some entry is flagged `flagReceipt`: say where Kinesis has it. Only beside `tails`. */
  receipts: 2,
} as const;
