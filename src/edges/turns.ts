/**
 * Lets some actions run at one time, and has the others wait, in their order. Main thread; the file system's syncs take their turns
 * here. It keeps one small object per action that waits, and never gives up on one that hangs.
 */
export class Turns {
  #left: number;
  readonly #waiting: (() => void)[] = [];

  constructor(atOnce: number) {
    this.#left = atOnce;
  }

  /** Runs `action` as soon as it may; settles as it does. */
  async run<T>(action: () => Promise<T>): Promise<T> {
    if (this.#left > 0) this.#left -= 1;
    else {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
    try {
      return await action();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#left += 1;
      else next();
    }
  }
}
