/**
 * Counts what a worker prints, as an attach tells it: the kubelet loses lines from a log that grows
 * quickly while it is rotated, and a reader of the log cannot know that.
 */
import { type Clock, sleep } from "../../base/clock.ts";
import type { AttachSession } from "./api/kube_api.ts";

const CARRIAGE_RETURN = 0x0d;
const NEWLINE = 0x0a;

/** How long after the worker's end the rest of its output may take. */
const REST_MS = 10_000;

export class OutputWitness implements AsyncDisposable {
  readonly #session: AttachSession;
  readonly #counting: Promise<unknown>;
  #bytes = 0;

  constructor(session: AttachSession) {
    this.#session = session;
    const streams = [session.stdout, session.stderr].filter((stream) => stream !== undefined);
    // A connection that breaks has told what came before.
    this.#counting = Promise.all(streams.map((stream) => this.#count(stream))).catch(() => {});
  }

  /**
   * How many bytes the worker has printed at least: not those before the attach, nor carriage
   * returns in front of newlines, which some runtimes leave out of the log. To be asked once the
   * worker has ended.
   */
  async bytes(clock: Clock, signal: AbortSignal): Promise<number> {
    const counted = new AbortController();
    const enough = sleep(clock, REST_MS, { signal: AbortSignal.any([signal, counted.signal]) });
    await Promise.race([this.#counting, enough.catch(() => {})]);
    counted.abort();
    return this.#bytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
    await this.#counting;
  }

  async #count(stream: ReadableStream<Uint8Array>): Promise<void> {
    let last = 0;
    for await (const bytes of stream) {
      this.#bytes += bytes.length;
      if (last === CARRIAGE_RETURN && bytes[0] === NEWLINE) this.#bytes--;
      for (let at = bytes.indexOf(CARRIAGE_RETURN); at >= 0;) {
        if (bytes[at + 1] === NEWLINE) this.#bytes--;
        at = bytes.indexOf(CARRIAGE_RETURN, at + 1);
      }
      last = bytes.at(-1) ?? last;
    }
  }
}
