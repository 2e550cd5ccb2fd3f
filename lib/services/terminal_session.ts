/**
 * A connection that types on a pseudo terminal and sees what appears there, until the command on it
 * has ended or the connection is over.
 */
import { type ByteConn, closeQuietly, writeAll } from "../base/byte_conn.ts";
import type { Clock } from "../base/clock.ts";
import type { TerminalFrame } from "../wire/terminal_frames.ts";
import type { PseudoTerminal } from "./pseudo_terminal.ts";
import type { Incoming } from "./service.ts";
import { INPUT_BYTES } from "./terminal_input.ts";
import type { TerminalProcess } from "./terminal_process.ts";

/** What is read from a terminal at once, in bytes. */
const OUTPUT_BYTES = 64 * 1024;
/**
 * How often, and how long apart in milliseconds, the end of a pipe is typed before the command is
 * hung up on. Once is not enough: each of several programs reads its own, and one that changes the
 * terminal's mode meanwhile never sees it.
 */
const ENDS_OF_INPUT = 10;
const BETWEEN_ENDS_MS = 500;

export interface TerminalSessionDeps {
  readonly clock: Clock;
  readonly incoming: Pick<Incoming, "conn" | "closed" | "tellsWindow">;
  /** What comes in on the connection. */
  readonly input: AsyncIterable<TerminalFrame>;
  readonly terminal: PseudoTerminal;
  readonly process: TerminalProcess;
}

export class TerminalSession {
  readonly #deps: TerminalSessionDeps;
  #over = false;
  /** Everything that came in so far is typed when this resolves; never rejects. */
  #typed = Promise.resolve();
  #bytesToType = 0;
  #nextEnd: Disposable | undefined;

  constructor(deps: TerminalSessionDeps) {
    this.#deps = deps;
  }

  /** See `Carry`. */
  async run(signal: AbortSignal): Promise<void> {
    const { incoming: { conn, closed }, terminal, process } = this.#deps;
    const cut = () => {
      terminal.close();
      breakOff(conn);
    };
    signal.addEventListener("abort", cut, { once: true });
    if (signal.aborted) cut();
    // Nobody reads the connection while programs leave much unread that was typed.
    void closed?.then((error) => error !== undefined && cut());
    const commandEnded = process.exited.then(() => this.#endProcesses());
    const inputEnded = this.#takeInput();
    try {
      await this.#giveOutput();
      await conn.closeWrite();
      closeQuietly(conn);
    } catch (error) {
      breakOff(conn);
      throw signal.aborted ? signal.reason : error;
    } finally {
      this.#over = true;
      this.#nextEnd?.[Symbol.dispose]();
      signal.removeEventListener("abort", cut);
      terminal.close();
      // What still runs is ended here; the last line tells if that has failed.
      await Promise.all([this.#endProcesses(), commandEnded, inputEnded]);
      await process.end();
    }
  }

  /** Resolves when all that appeared on the terminal is sent, and nobody has it open any more. */
  async #giveOutput(): Promise<void> {
    const { incoming: { conn }, terminal } = this.#deps;
    const buffer = new Uint8Array(OUTPUT_BYTES);
    for (let count; (count = await terminal.read(buffer)) !== null;) {
      await writeAll(conn, buffer.subarray(0, count));
    }
  }

  /**
   * Ends the command and what it has left behind; the output goes on until they are gone. Never
   * rejects.
   */
  async #endProcesses(): Promise<void> {
    const { terminal, process } = this.#deps;
    // Those that cannot be ended, or found, would keep the terminal open.
    const left = await process.end().catch(() => undefined);
    if (left === undefined || left.length > 0) terminal.close();
  }

  /** Resolves when the connection's input has ended; never rejects. */
  async #takeInput(): Promise<void> {
    const { incoming: { tellsWindow }, input, terminal } = this.#deps;
    try {
      for await (const frame of input) {
        if (this.#over) return;
        if (frame.kind === "window") terminal.resize(frame);
        else if (frame.kind === "typed") await this.#type(frame.bytes);
      }
    } catch {
      // A broken connection takes no output either.
      terminal.close();
      return;
    }
    // A client with a window has closed it; another one may still read.
    if (tellsWindow) await this.#endProcesses();
    else this.#typeEnd(ENDS_OF_INPUT);
  }

  /** Waits only when programs have left much unread, so that the end of the input is still seen. */
  async #type(bytes: Uint8Array): Promise<void> {
    this.#bytesToType += bytes.length;
    this.#typed = this.#typed
      .then(() => writeAll(this.#deps.terminal, bytes))
      // Nobody has the terminal open: the output ends as well.
      .catch(() => {})
      .finally(() => this.#bytesToType -= bytes.length);
    if (this.#bytesToType >= INPUT_BYTES) await this.#typed;
  }

  #typeEnd(times: number): void {
    if (this.#over) return;
    if (times === 0) {
      void this.#endProcesses();
      return;
    }
    const { terminal } = this.#deps;
    this.#typed = this.#typed
      .then(() => writeAll(terminal, Uint8Array.of(terminal.endOfInput())))
      .catch(() => {});
    this.#nextEnd = this.#deps.clock.after(BETWEEN_ENDS_MS, () => this.#typeEnd(times - 1));
  }
}

/** Whoever is there should not take this for the regular end. */
function breakOff(conn: ByteConn): void {
  if (conn.abort !== undefined) conn.abort();
  else closeQuietly(conn);
}
