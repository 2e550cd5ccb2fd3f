/**
 * Handles all unexpected errors: exceptions in the callbacks of timers and sockets, unhandled
 * rejections, and whatever else starting, running or stopping may throw.
 *
 * The process goes on after the first two. Whatever is then in a bad state belongs to a single
 * link, stream, unit or session, which its own timeout or its neighbour ends; ending the process,
 * as Deno itself would, would cut off the links and results of every job because of one.
 */
import { messageOf } from "../base/error_message.ts";
import type { Log } from "../base/log.ts";

const INTRODUCTION = "Unexpected error, please report it";

export class UnexpectedErrors implements Disposable {
  /** Receives the errors once it is set; until then they go to `complain`. */
  log: Pick<Log, "error"> | undefined;
  readonly #target: EventTarget;
  readonly #complain: (text: string) => void;

  /** Listens on `target`, which is `globalThis` except in tests. */
  constructor(target: EventTarget, complain: (text: string) => void) {
    this.#target = target;
    this.#complain = complain;
    target.addEventListener("error", this.#onException);
    target.addEventListener("unhandledrejection", this.#onRejection);
  }

  /** Reports an error with its stack and its causes. */
  report(error: unknown): void {
    const stack = Deno.inspect(error, { colors: false });
    if (this.log === undefined) this.#complain(`${INTRODUCTION}: ${stack}`);
    else this.log.error(`${INTRODUCTION}: ${messageOf(error)}`, { stack });
  }

  [Symbol.dispose](): void {
    this.#target.removeEventListener("error", this.#onException);
    this.#target.removeEventListener("unhandledrejection", this.#onRejection);
  }

  readonly #onException = (event: Event) => this.#survive(event, (event as ErrorEvent).error);

  readonly #onRejection = (event: Event) =>
    this.#survive(event, (event as PromiseRejectionEvent).reason);

  #survive(event: Event, error: unknown): void {
    event.preventDefault();
    this.report(error);
  }
}
