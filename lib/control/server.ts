/**
 * The control protocol's server side: greets, reads commands one line at a time, answers each with
 * one line, and hands the connection to those commands that make it a stream.
 *
 * It differs from the original in one point on purpose: a line that is not valid JSON gets one
 * error line, where the original sends a second one (`Unknown command, `) that puts a client out
 * of step.
 */
import { type ByteConn, writeAll } from "../base/byte_conn.ts";
import { messageOf } from "../base/error_message.ts";
import { LineReader, LineTooLongError } from "../base/line_reader.ts";
import {
  type CommandContext,
  type CommandRun,
  type CommandType,
  type ControlDeps,
  SessionOverError,
} from "./command.ts";
import { connect } from "./commands/connect.ts";
import { ping } from "./commands/ping.ts";
import { reload } from "./commands/reload.ts";
import { status } from "./commands/status.ts";
import { traceroute } from "./commands/traceroute.ts";
import { workCommand } from "./commands/work.ts";
import { ControlError } from "./control_error.ts";
import { member, parseFields } from "./json_fields.ts";
import { errorLine, greeting, refusals } from "./texts.ts";
import type { Caller } from "./work_service.ts";

/**
 * Bound of a command line. Parameters travel in it, among them whole files (`secret_kube_pod`, a
 * kubeconfig, `@file` values), so it is far above any command typed by hand; it bounds what one
 * client can make the node hold, and is only reached by a client that really sends that much.
 */
export const MAX_COMMAND_BYTES = 16 * 1024 * 1024;

/** How long the rest of a refused stream is read away. */
const DISCARD_MS = 5_000;
const DISCARD_BUFFER_BYTES = 64 * 1024;

export class ControlServer {
  readonly #deps: ControlDeps;
  readonly #commands: ReadonlyMap<string, CommandType>;

  constructor(deps: ControlDeps) {
    this.#deps = deps;
    const commands: [string, CommandType][] = [
      ["status", status],
      ["ping", ping],
      ["traceroute", traceroute],
      ["connect", connect],
      ["reload", reload],
    ];
    if (deps.work !== undefined) commands.push(["work", workCommand(deps.work)]);
    this.#commands = new Map(commands);
  }

  /**
   * Serves one client until it is done, and closes `conn`. Never rejects: what goes wrong is told
   * to the client or, when that is gone, to the log. Aborting `signal` ends it at once.
   */
  async serve(
    conn: ByteConn & { readonly closed?: Promise<unknown> },
    caller: Caller,
    signal: AbortSignal,
  ): Promise<void> {
    const { log } = this.#deps;
    const client = new LineReader(conn);
    const onAbort = () => client.close();
    signal.addEventListener("abort", onAbort, { once: true });
    const context = { deps: this.#deps, conn: client, closed: conn.closed, caller, signal };
    log.debug(`Client connected to control service ${caller.description}`);
    try {
      signal.throwIfAborted();
      await writeLine(client, greeting(this.#deps.mesh.nodeId));
      while (await this.#serveLine(context));
    } catch (error) {
      if (!signal.aborted) log.debug(`Control connection broke: ${error}`);
    } finally {
      signal.removeEventListener("abort", onAbort);
      client.close();
      log.debug(`Client disconnected from control service ${caller.description}`);
    }
  }

  /** Serves one command; resolves to whether another may follow. */
  async #serveLine(context: CommandContext): Promise<boolean> {
    const line = await this.#readLine(context);
    if (line === null) return false;
    const command = line.replaceAll("\r", "");
    if (command === "") return true;
    try {
      const reply = await this.#parse(command)(context);
      if (reply === undefined) return false;
      await writeLine(context.conn, JSON.stringify(reply));
      return true;
    } catch (error) {
      await this.#refuse(context, error);
      if (!(error instanceof SessionOverError)) return true;
      await this.#discardRest(context);
      return false;
    }
  }

  /** The next line, or `null` when the client has no more. */
  async #readLine(context: CommandContext): Promise<string | null> {
    const { conn } = context;
    try {
      const line = await conn.readLine({ maxBytes: MAX_COMMAND_BYTES, unfinished: "line" });
      if (line === null) await conn.closeWrite();
      return line;
    } catch (error) {
      if (!(error instanceof LineTooLongError)) throw error;
      await this.#refuse(context, new ControlError(refusals.lineTooLong(error.maxBytes)));
      await this.#discardRest(context);
      return null;
    }
  }

  #parse(line: string): CommandRun {
    if (line.startsWith("{")) {
      const fields = parseFields(line);
      const word = member(fields, "command");
      if (word === undefined) throw new ControlError(refusals.commandMissing);
      if (typeof word !== "string") throw new ControlError(refusals.commandNotString);
      return this.#find(word).fromFields(fields);
    }
    const blank = line.indexOf(" ");
    const word = (blank === -1 ? line : line.slice(0, blank)).toLowerCase();
    return this.#find(word).fromWords(blank === -1 ? "" : line.slice(blank + 1));
  }

  #find(word: string): CommandType {
    const command = this.#commands.get(word);
    if (command === undefined) throw new ControlError(refusals.unknownCommand(word));
    return command;
  }

  /** Tells the client, and the log unless it is the client's own mistake. Throws if it is gone. */
  async #refuse(context: CommandContext, error: unknown): Promise<void> {
    context.signal.throwIfAborted();
    const message = messageOf(error);
    if (!(error instanceof ControlError)) {
      this.#deps.log.warning(`Control command failed: ${message}`, {
        caller: context.caller.description,
      });
    }
    // Names that the client chose are part of many messages: they must not end the line.
    await writeLine(context.conn, errorLine(message.replace(/[\r\n]+/g, " ")));
  }

  /** Reads away what a client still sends, for a while, so that it gets to read our last line. */
  async #discardRest({ conn, deps }: CommandContext): Promise<void> {
    await conn.closeWrite();
    using _timer = deps.clock.after(DISCARD_MS, () => conn.close());
    const ignored = new Uint8Array(DISCARD_BUFFER_BYTES);
    while (await conn.read(ignored) !== null);
  }
}

function writeLine(conn: ByteConn, line: string): Promise<void> {
  return writeAll(conn, new TextEncoder().encode(`${line}\n`));
}
