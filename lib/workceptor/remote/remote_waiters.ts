/** Callers that wait for the result of something about a remote unit. */
import type { Clock } from "../../base/clock.ts";
import type { ControlError } from "../../control/control_error.ts";
import type { StartReply } from "../unit.ts";

/** How a cancel or release went; `pending` if the remote node has yet to be told. */
export interface RequestReply {
  readonly pending: boolean;
}

export class RemoteWaiters {
  readonly #started = Promise.withResolvers<StartReply>();
  readonly #requests = new Set<PromiseWithResolvers<RequestReply>>();

  constructor() {
    // Only `start` waits for it, and a unit found on disk is not started.
    this.#started.promise.catch(() => {});
  }

  /** Resolves with the first `start`, rejects with the first `refuseStart`. */
  get started(): Promise<StartReply> {
    return this.#started.promise;
  }

  start(reply: StartReply): void {
    this.#started.resolve(reply);
  }

  refuseStart(error: ControlError): void {
    this.#started.reject(error);
  }

  /** Waits for an answer to a cancel or release; if none comes in time, it is pending. */
  async request(clock: Clock, timeoutMs: number, begin: () => void): Promise<RequestReply> {
    const request = Promise.withResolvers<RequestReply>();
    this.#requests.add(request);
    using _timer = clock.after(timeoutMs, () => request.resolve({ pending: true }));
    try {
      begin();
      return await request.promise;
    } finally {
      this.#requests.delete(request);
    }
  }

  /** Answers all waiting cancels and releases. */
  answer(reply: RequestReply): void {
    for (const request of this.#requests) request.resolve(reply);
  }

  refuse(error: ControlError): void {
    for (const request of this.#requests) request.reject(error);
  }
}
