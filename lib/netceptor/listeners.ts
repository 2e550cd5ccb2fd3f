/** Those who want to be told of something that happens in the mesh. */
import type { Log } from "../base/log.ts";

export class Listeners<Event> {
  readonly #log: Log;
  readonly #what: string;
  readonly #all = new Set<(event: Event) => void>();

  /** `what` they are told of, for the line about one that throws. */
  constructor(log: Log, what: string) {
    this.#log = log;
    this.#what = what;
  }

  /** Disposing the result ends it. */
  add(listener: (event: Event) => void): Disposable {
    // A separate function each time, so that one listener may be added twice.
    const call = (event: Event) => listener(event);
    this.#all.add(call);
    return { [Symbol.dispose]: () => void this.#all.delete(call) };
  }

  tell(event: Event): void {
    for (const listener of this.#all) {
      try {
        listener(event);
      } catch (error) {
        this.#log.error(`Error telling of ${this.#what}: ${error}`);
      }
    }
  }
}
