/**
 * Brings a worker's output from its pod's log into the unit's folder, through whatever cuts the way:
 * each read continues where the last one stopped (`LogCursor`). Where we are is kept next to the
 * output, so that a later daemon can continue too.
 */
import type { Clock } from "../../base/clock.ts";
import { writeFully } from "../../base/durable_file.ts";
import { messageOf } from "../../base/error_message.ts";
import type { Log } from "../../base/log.ts";
import type { UnitLedger } from "../unit_ledger.ts";
import type { KubeApi } from "./api/kube_api.ts";
import { isTransient } from "./api/kube_error.ts";
import { LogCursor, type LogOutput, type LogPosition } from "./log_cursor.ts";
import { formatSecond } from "./log_stamp.ts";
import { WORKER } from "./pod_state.ts";
import type { WorkerEnd } from "./worker_end.ts";

export interface LogFollowerDeps {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly log: Log;
  readonly ledger: UnitLedger;
}

export interface LogFollowerOptions {
  readonly namespace: string;
  readonly pod: string;
  /** Consecutive failed reads after which to give up; undefined: none. */
  readonly retries: number | undefined;
  /** Whether the server stamps lines as `LogCursor` expects; if not, each read is of all the log. */
  readonly stamped: boolean;
}

/** A silent read is begun anew: the connection may be dead. */
const SILENCE_MS = 120_000;
/** Likewise once the worker has ended, when the server should end the read by itself. */
const SILENCE_AT_END_MS = 3_000;

const FIRST_RETRY_MS = 250;
const MAX_RETRY_MS = 10_000;

/** How often the position is saved while output comes. */
const SAVE_INTERVAL_MS = 500;

type ReadEnd =
  | { readonly is: "clean" }
  | { readonly is: "cut"; readonly error: unknown }
  /** What came is not what we had before. */
  | { readonly is: "other log" };

export class LogFollower implements Disposable {
  readonly #deps: LogFollowerDeps;
  readonly #options: LogFollowerOptions;
  readonly #cursor: LogCursor;
  readonly #output: Deno.FsFile;
  /** Output that nobody has any more, for people; part of the saved position. */
  #lost: string | undefined;
  #savedAt = Number.NEGATIVE_INFINITY;

  private constructor(
    deps: LogFollowerDeps,
    options: LogFollowerOptions,
    { output, position, lost }: {
      output: Deno.FsFile;
      position: LogPosition;
      lost: string | undefined;
    },
  ) {
    this.#deps = deps;
    this.#options = options;
    this.#output = output;
    this.#cursor = new LogCursor(position, { stamped: options.stamped });
    this.#lost = lost;
  }

  /** Continues behind the output in the unit's folder. */
  static async open(deps: LogFollowerDeps, options: LogFollowerOptions): Promise<LogFollower> {
    const { store, id } = deps.ledger;
    const output = await store.openStdout(id);
    const taken = await store.stdoutSize(id) ?? 0;
    const saved = await readPosition(positionPath(deps.ledger));
    const usable = saved !== undefined && saved.base <= taken &&
      (saved.anchor === undefined || saved.anchor.offset <= taken);
    const { anchor, base } = usable ? saved : { anchor: undefined, base: 0 };
    const position = { anchor: options.stamped ? anchor : undefined, base, taken };
    return new LogFollower(deps, options, { output, position, lost: saved?.lost });
  }

  /**
   * Resolves when all output of the ended worker is in the unit's folder, to what is lost of it, if
   * anything. Rejects if the output cannot be written.
   */
  async follow(worker: WorkerEnd, signal: AbortSignal): Promise<string | undefined> {
    const { clock, log } = this.#deps;
    const { retries } = this.#options;
    let retryMs = FIRST_RETRY_MS;
    let failures = 0;
    let lastWasClean = false;
    while (true) {
      signal.throwIfAborted();
      const { ended } = worker;
      if (worker.gone) return this.#lost;
      const before = this.#cursor.position.taken;
      const end = await this.#read({ follow: !ended }, worker, signal);
      signal.throwIfAborted();
      const { state } = this.#cursor;
      if (this.#cursor.position.taken > before) {
        retryMs = FIRST_RETRY_MS;
        failures = 0;
      }
      if (state.is === "missed") continue;
      if (state.is === "rotated" || end.is === "other log") {
        // A reader that came to a clean end after the worker's had read the file before to its end.
        if (!(lastWasClean && ended)) {
          const first = state.is === "rotated" ? state.first : undefined;
          this.#noteLoss(first === undefined ? "now" : formatSecond(first.seconds));
        }
        this.#cursor.startNewFile();
        lastWasClean = false;
        continue;
      }
      lastWasClean = end.is === "clean" && state.is !== "foreign";
      if (lastWasClean) {
        failures = 0;
        if (ended) break;
      } else {
        const error = end.is === "cut" ? end.error : state.is === "foreign" ? state.text : "";
        if (worker.gone) return this.#lost;
        if (end.is === "cut" && !isTransient(error) && ended) {
          return `its output could not be read to the end: ${messageOf(error)}`;
        }
        if (retries !== undefined && ++failures > retries) {
          return `its output could not be read after ${retries} retries: ${messageOf(error)}`;
        }
        log.debug(`Reading the log of ${this.#name} again: ${messageOf(error)}`);
      }
      await worker.change(clock, retryMs, signal);
      retryMs = Math.min(2 * retryMs, MAX_RETRY_MS);
    }
    await this.#save();
    return this.#lost;
  }

  [Symbol.dispose](): void {
    this.#output.close();
  }

  get #name(): string {
    return `pod ${this.#options.namespace}/${this.#options.pod}`;
  }

  async #read(
    { follow }: { follow: boolean },
    worker: WorkerEnd,
    signal: AbortSignal,
  ): Promise<ReadEnd> {
    const { api } = this.#deps;
    const { namespace, pod } = this.#options;
    const { sinceTime } = this.#cursor.begin();
    const reading = new AbortController();
    const both = AbortSignal.any([signal, reading.signal]);
    using silence = new SilenceTimer(this.#deps.clock, worker, () => {
      reading.abort(new Error("no output for a while"));
    });
    try {
      const options = { container: WORKER, follow, timestamps: this.#options.stamped, sinceTime };
      const stream = await api.podLog(namespace, pod, options, both);
      for await (const chunk of stream) {
        silence.restart();
        const outputs = this.#cursor.push(chunk);
        if (!await this.#take(outputs, chunk.length)) return { is: "other log" };
        if (this.#cursor.isOver) return { is: "clean" };
      }
      this.#cursor.end();
      return { is: "clean" };
    } catch (error) {
      if (error instanceof OutputError) throw error.cause;
      return { is: "cut", error };
    }
  }

  /** Resolves to false if what should repeat our output is something else. */
  async #take(outputs: readonly LogOutput[], size: number): Promise<boolean> {
    const fresh = new Uint8Array(size + 64);
    let length = 0;
    for (const output of outputs) {
      if (output.is === "new") {
        fresh.set(output.bytes, length);
        length += output.bytes.length;
      } else if (!await this.#matches(output.bytes, output.offset)) {
        return false;
      }
    }
    if (length === 0) return true;
    try {
      await writeFully(this.#output, fresh.subarray(0, length));
    } catch (cause) {
      throw new OutputError("", { cause });
    }
    this.#deps.ledger.changes.notify();
    if (this.#deps.clock.now() - this.#savedAt > SAVE_INTERVAL_MS) await this.#save();
    return true;
  }

  async #matches(bytes: Uint8Array, offset: number): Promise<boolean> {
    const { store, id } = this.#deps.ledger;
    try {
      using file = await store.readStdout(id);
      await file.seek(offset, Deno.SeekMode.Start);
      const ours = new Uint8Array(bytes.length);
      let have = 0;
      while (have < ours.length) {
        const count = await file.read(ours.subarray(have));
        if (count === null) break;
        have += count;
      }
      return have === ours.length && ours.every((byte, i) => byte === bytes[i]);
    } catch {
      // Somebody removed our output; what comes is still right.
      return true;
    }
  }

  #noteLoss(until: string): void {
    const { anchor } = this.#cursor.position;
    const since = anchor === undefined ? "the beginning" : formatSecond(anchor.seconds);
    this.#lost ??= `output written between ${since} and ${until} is lost, an unknown number of ` +
      "bytes: the kubelet rotated the log before it could be read";
    this.#deps.log.warning(`${this.#name}: ${this.#lost}`);
  }

  /** Without a sync: it has to survive the daemon, and after a crash of the machine is checked. */
  async #save(): Promise<void> {
    const path = positionPath(this.#deps.ledger);
    const { anchor, base } = this.#cursor.position;
    this.#savedAt = this.#deps.clock.now();
    try {
      const text = JSON.stringify({ anchor, base, lost: this.#lost });
      await Deno.writeTextFile(`${path}.new`, text, { mode: 0o600 });
      await Deno.rename(`${path}.new`, path);
    } catch {
      // Without it, the log is read from its beginning.
    }
  }
}

class OutputError extends Error {}

/** Calls `onSilence` when nothing has come for too long. */
class SilenceTimer implements Disposable {
  readonly #clock: Clock;
  readonly #worker: WorkerEnd;
  readonly #onSilence: () => void;
  #heardAt: number;
  #timer: Disposable | undefined;

  constructor(clock: Clock, worker: WorkerEnd, onSilence: () => void) {
    this.#clock = clock;
    this.#worker = worker;
    this.#onSilence = onSilence;
    this.#heardAt = clock.now();
    this.#arm();
  }

  restart(): void {
    this.#heardAt = this.#clock.now();
  }

  #arm(): void {
    this.#timer = this.#clock.after(SILENCE_AT_END_MS / 3, () => {
      const limitMs = this.#worker.ended || this.#worker.gone ? SILENCE_AT_END_MS : SILENCE_MS;
      if (this.#clock.now() - this.#heardAt >= limitMs) this.#onSilence();
      else this.#arm();
    });
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }
}

function positionPath({ store, id }: UnitLedger): string {
  return `${store.unitFolder(id)}/log-position`;
}

async function readPosition(
  path: string,
): Promise<(Pick<LogPosition, "anchor" | "base"> & { lost: string | undefined }) | undefined> {
  try {
    const { anchor, base, lost } = JSON.parse(await Deno.readTextFile(path));
    const numbers = [base, ...anchor ? [anchor.seconds, anchor.nanos, anchor.offset] : []];
    if (!numbers.every((number) => Number.isSafeInteger(number) && number >= 0)) return undefined;
    return { anchor, base, lost: typeof lost === "string" ? lost : undefined };
  } catch {
    return undefined;
  }
}
