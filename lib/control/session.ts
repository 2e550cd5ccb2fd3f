/**
 * One client of the control service: its lines are read within the bounds for its kind, each is
 * answered with one line, and commands that turn the connection into a stream take it over.
 */
import { type ByteConn, writeAll } from "../base/byte_conn.ts";
import { deadline } from "../base/deadline.ts";
import { messageOf } from "../base/error_message.ts";
import { LineReader, LineTooLongError } from "../base/line_reader.ts";
import {
  type CommandContext,
  type CommandRun,
  type ControlDeps,
  SessionOverError,
} from "./command.ts";
import { ControlError } from "./control_error.ts";
import { DISCARD_MS, limitsFor, MAX_ERROR_LENGTH, type SessionLimits } from "./limits.ts";
import { type LineBudget, LineBudgetError, type LineClaim } from "./line_budget.ts";
import { errorLine, greeting, refusals } from "./texts.ts";
import type { OneAtATime } from "./one_at_a_time.ts";
import type { Caller } from "./work_service.ts";

export interface SessionDeps extends ControlDeps {
  readonly budget: LineBudget;
  readonly longTasks: OneAtATime;
  /** Reads a line as a command. Throws a `ControlError` for what it cannot read. */
  readonly parse: (line: string) => CommandRun;
}

/** Nobody looks at what is read into this, so all sessions share it. */
const IGNORED = new Uint8Array(64 * 1024);

export class ControlSession {
  readonly #deps: SessionDeps;
  readonly #client: LineReader;
  readonly #context: CommandContext;
  readonly #limits: SessionLimits;
  /** The line being read, and the one whose command is running, or its reply. */
  readonly #reading: LineClaim;
  readonly #running: LineClaim;
  #isFirst = true;

  constructor(
    deps: SessionDeps,
    conn: ByteConn & { readonly closed?: Promise<unknown> },
    caller: Caller,
    signal: AbortSignal,
  ) {
    this.#deps = deps;
    this.#limits = limitsFor(caller);
    const owner = caller.peer ?? caller.description;
    const { neighbour = owner } = caller;
    this.#reading = { owner, neighbour, cut: () => this.#cut() };
    this.#running = { owner, neighbour, cut: () => this.#cut() };
    this.#client = new LineReader(conn, { reserve: (bytes) => this.#hold(this.#reading, bytes) });
    this.#context = {
      deps,
      conn: this.#client,
      closed: conn.closed,
      caller,
      signal,
      longTask: (task) => this.#limits.budgeted ? deps.longTasks.run(owner, task) : task(),
    };
  }

  /**
   * Serves the client until it is done, and closes its connection. Never rejects: errors are
   * reported to the client or, if it is gone, to the log.
   */
  async serve(): Promise<void> {
    const { log, mesh } = this.#deps;
    const { caller, signal } = this.#context;
    const onAbort = () => this.#client.close();
    signal.addEventListener("abort", onAbort, { once: true });
    log.debug(`Client connected to control service ${caller.description}`);
    try {
      signal.throwIfAborted();
      await writeLine(this.#client, greeting(mesh.nodeId));
      while (await this.#serveLine());
    } catch (error) {
      if (!signal.aborted) log.debug(`Control connection broke: ${error}`);
    } finally {
      signal.removeEventListener("abort", onAbort);
      this.#client.close();
      this.#hold(this.#reading, 0);
      this.#hold(this.#running, 0);
      log.debug(`Client disconnected from control service ${caller.description}`);
    }
  }

  /** Serves one command; resolves to whether another may follow. */
  async #serveLine(): Promise<boolean> {
    const line = await this.#readLine();
    if (line === null) return false;
    const command = line.replaceAll("\r", "");
    if (command === "") return true;
    this.#isFirst = false;
    try {
      // The command may keep slices of the line, so it counts until the command is done.
      this.#hold(this.#running, command.length);
      const reply = await this.#deps.parse(command)(this.#context);
      if (reply === undefined) return false;
      const text = JSON.stringify(reply);
      // A client that does not read it makes us hold it.
      this.#hold(this.#running, text.length);
      await writeLine(this.#client, text);
      return true;
    } catch (error) {
      await this.#refuse(error);
      if (!(error instanceof SessionOverError)) return true;
      await this.#discardRest();
      return false;
    } finally {
      this.#hold(this.#running, 0);
    }
  }

  /** The next line, or `null` if the client has no more, or none that can be read. */
  async #readLine(): Promise<string | null> {
    try {
      await this.#waitForLine();
      const line = await this.#takeLine();
      if (line === null) await this.#client.closeWrite();
      return line;
    } catch (error) {
      const refusal = lineRefusal(error);
      if (refusal === undefined) throw error;
      await this.#refuse(refusal);
      await this.#discardRest();
      return null;
    }
  }

  async #waitForLine(): Promise<void> {
    const limitMs = this.#isFirst ? this.#limits.firstCommandMs : undefined;
    using idle = deadline(
      this.#deps.clock,
      limitMs,
      () => new ControlError(refusals.noCommand(limitMs!)),
    );
    await this.#client.ready({ signal: idle.signal });
  }

  async #takeLine(): Promise<string | null> {
    const { lineBytes, lineMs } = this.#limits;
    using reading = deadline(
      this.#deps.clock,
      lineMs,
      () => new ControlError(refusals.lineTooSlow(lineMs!)),
    );
    return await this.#client.readLine({
      maxBytes: lineBytes,
      unfinished: "line",
      signal: reading.signal,
    });
  }

  #hold(claim: LineClaim, bytes: number): void {
    if (this.#limits.budgeted) this.#deps.budget.resize(claim, bytes);
  }

  /** The budget went to somebody else: the memory must be freed at once, so nothing is awaited. */
  #cut(): void {
    const line = encodeLine(errorLine(refusals.tooManyLongLines));
    this.#client.write(line).catch(() => {});
    this.#client.closeWrite().catch(() => {});
    this.#client.close();
  }

  /** Tells the client, and the log unless it is the client's own mistake. Throws if it is gone. */
  async #refuse(error: unknown): Promise<void> {
    const { caller, signal } = this.#context;
    signal.throwIfAborted();
    const message = error instanceof LineBudgetError ? refusals.tooManyLongLines : messageOf(error);
    if (!(error instanceof ControlError || error instanceof LineBudgetError)) {
      this.#deps.log.warning(`Control command failed: ${message}`, { caller: caller.description });
    }
    // Many messages contain names chosen by the client, which must not end the line.
    const text = message.slice(0, MAX_ERROR_LENGTH).replace(/[\r\n]+/g, " ");
    await writeLine(this.#client, errorLine(text));
  }

  /** Discards what a client still sends, for a while, so that it gets to read our last line. */
  async #discardRest(): Promise<void> {
    const client = this.#client;
    await client.closeWrite();
    using _timer = this.#deps.clock.after(DISCARD_MS, () => client.close());
    while (await client.read(IGNORED) !== null);
  }
}

/** What to tell a client whose line exceeds a bound; `undefined` for a broken connection. */
function lineRefusal(error: unknown): ControlError | undefined {
  if (error instanceof ControlError) return error;
  if (error instanceof LineTooLongError) {
    return new ControlError(refusals.lineTooLong(error.maxBytes), { cause: error });
  }
  if (error instanceof LineBudgetError) {
    return new ControlError(refusals.tooManyLongLines, { cause: error });
  }
  return undefined;
}

function writeLine(conn: ByteConn, line: string): Promise<void> {
  return writeAll(conn, encodeLine(line));
}

function encodeLine(line: string): Uint8Array {
  return new TextEncoder().encode(`${line}\n`);
}
