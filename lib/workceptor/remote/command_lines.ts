/**
 * Control connections that units share for short commands (status, cancel, release), since a
 * handshake costs many times what the command does. A line carries one command at a time, and any
 * number one after the other:
 *
 * - an idle one is closed after some seconds;
 * - one that fails is dropped; if it had been idle, its node may have restarted in the meantime, so
 *   the command is sent once more over a new one (repeating any of these commands does no harm);
 * - one that has reached a certain age is replaced, so that a renewed certificate comes into use.
 */
import type { Clock } from "../../base/clock.ts";
import type { ControlClient } from "../../control/client.ts";
import { ControlError } from "../../control/control_error.ts";
import type { RemoteTarget } from "./remote_access.ts";

/** How many lines to one node are opened as soon as there is work for them. */
const EAGER_LINES = 8;
/** Most lines to one node: more than the eager ones only if commands there take long. */
const MAX_LINES = 64;
/** How long a command waits for one of the eager lines before it gets a new one. */
const PATIENCE_MS = 1_000;

const IDLE_MS = 10_000;
const MAX_AGE_MS = 60_000;

interface Line {
  readonly client: ControlClient;
  readonly openedAt: number;
  /** Closes it once it has been idle for long; set while it is idle. */
  idleTimer?: Disposable | undefined;
}

/** The lines to one node with one TLS config. */
interface Lines {
  readonly key: string;
  readonly idle: Line[];
  /** Number of lines, including those being opened. */
  open: number;
  readonly waiting: PromiseWithResolvers<void>[];
}

export interface CommandLinesDeps {
  readonly clock: Clock;
  readonly connect: (target: RemoteTarget, signal: AbortSignal) => Promise<ControlClient>;
}

export class CommandLines implements Disposable {
  readonly #deps: CommandLinesDeps;
  readonly #lines = new Map<string, Lines>();
  #closed = false;

  constructor(deps: CommandLinesDeps) {
    this.#deps = deps;
  }

  /** Runs `exchange`, which must be safe to repeat, over a line that it has to itself meanwhile. */
  async run<T>(
    target: RemoteTarget,
    exchange: (client: ControlClient) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    for (let isRepeated = false;; isRepeated = true) {
      const [line, lines, wasIdle] = await this.#take(target, signal);
      try {
        const result = await exchange(line.client);
        this.#giveBack(line, lines);
        return result;
      } catch (error) {
        if (error instanceof ControlError) {
          // The answer was a refusal, so the line is still good.
          this.#giveBack(line, lines);
          throw error;
        }
        this.#drop(line, lines);
        if (!wasIdle || isRepeated || signal.aborted) throw error;
        for (const sibling of lines.idle.splice(0)) this.#drop(sibling, lines);
      }
    }
  }

  /** Closes the idle lines; the busy ones end with their commands. */
  [Symbol.dispose](): void {
    this.#closed = true;
    for (const lines of this.#lines.values()) {
      for (const line of lines.idle.splice(0)) this.#drop(line, lines);
    }
  }

  async #take(
    target: RemoteTarget,
    signal: AbortSignal,
  ): Promise<[line: Line, lines: Lines, wasIdle: boolean]> {
    signal.throwIfAborted();
    const lines = this.#linesTo(target);
    let most = EAGER_LINES;
    while (true) {
      const idle = this.#takeIdle(lines);
      if (idle !== undefined) return [idle, lines, true];
      if (lines.open < most) return [await this.#open(target, lines, signal), lines, false];
      if (!await this.#turn(lines, signal)) most = MAX_LINES;
    }
  }

  #takeIdle(lines: Lines): Line | undefined {
    for (let line; (line = lines.idle.pop()) !== undefined;) {
      line.idleTimer?.[Symbol.dispose]();
      line.idleTimer = undefined;
      if (this.#deps.clock.now() - line.openedAt < MAX_AGE_MS) return line;
      this.#drop(line, lines);
    }
    return undefined;
  }

  async #open(target: RemoteTarget, lines: Lines, signal: AbortSignal): Promise<Line> {
    lines.open++;
    try {
      const client = await this.#deps.connect(target, signal);
      return { client, openedAt: this.#deps.clock.now() };
    } catch (error) {
      lines.open--;
      // Whatever keeps this one from reaching the node also affects the others.
      if (!signal.aborted) { for (const turn of lines.waiting.splice(0)) turn.reject(error); }
      else lines.waiting.shift()?.resolve();
      if (lines.open === 0) this.#lines.delete(lines.key);
      throw error;
    }
  }

  /** Waits for a line to become free; resolves to whether one did before patience ran out. */
  async #turn(lines: Lines, signal: AbortSignal): Promise<boolean> {
    const turn = Promise.withResolvers<void>();
    const leave = (): boolean => {
      const at = lines.waiting.indexOf(turn);
      if (at !== -1) lines.waiting.splice(at, 1);
      return at !== -1;
    };
    let gotTurn = true;
    const losePatience = () => {
      if (!leave()) return;
      gotTurn = false;
      turn.resolve();
    };
    const giveUp = () => void (leave() && turn.reject(signal.reason));
    lines.waiting.push(turn);
    signal.addEventListener("abort", giveUp, { once: true });
    using _timer = this.#deps.clock.after(PATIENCE_MS, losePatience);
    try {
      await turn.promise;
      return gotTurn;
    } finally {
      signal.removeEventListener("abort", giveUp);
    }
  }

  #giveBack(line: Line, lines: Lines): void {
    if (this.#closed) return this.#drop(line, lines);
    line.idleTimer = this.#deps.clock.after(IDLE_MS, () => {
      lines.idle.splice(lines.idle.indexOf(line), 1);
      this.#drop(line, lines);
    });
    lines.idle.push(line);
    lines.waiting.shift()?.resolve();
  }

  #drop(line: Line, lines: Lines): void {
    line.idleTimer?.[Symbol.dispose]();
    line.client.close();
    lines.open--;
    lines.waiting.shift()?.resolve();
    if (lines.open === 0) this.#lines.delete(lines.key);
  }

  #linesTo({ RemoteNode, TLSClient }: RemoteTarget): Lines {
    const key = JSON.stringify([RemoteNode, TLSClient]);
    const known = this.#lines.get(key);
    if (known !== undefined) return known;
    const lines: Lines = { key, idle: [], open: 0, waiting: [] };
    this.#lines.set(key, lines);
    return lines;
  }
}
