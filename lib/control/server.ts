/**
 * The control protocol's server side: which commands there are, and how a line names one.
 *
 * It differs from the original in one point on purpose: a line that is not valid JSON gets one
 * error line, where the original sends a second one (`Unknown command, `) that gets a client out of
 * step.
 */
import type { ByteConn } from "../base/byte_conn.ts";
import type { CommandRun, CommandType, ControlDeps } from "./command.ts";
import { connect } from "./commands/connect.ts";
import { ping } from "./commands/ping.ts";
import { reload } from "./commands/reload.ts";
import { status } from "./commands/status.ts";
import { traceroute } from "./commands/traceroute.ts";
import { workCommand } from "./commands/work.ts";
import { ControlError } from "./control_error.ts";
import { member, parseFields } from "./json_fields.ts";
import { LINE_BUDGET_BYTES } from "./limits.ts";
import { LineBudget } from "./line_budget.ts";
import { OneAtATime } from "./one_at_a_time.ts";
import { ControlSession } from "./session.ts";
import { refusals } from "./texts.ts";
import { cutWord } from "./words.ts";
import type { Caller } from "./work_service.ts";

export class ControlServer {
  readonly #deps: ControlDeps;
  readonly #commands: ReadonlyMap<string, CommandType>;
  readonly #budget = new LineBudget(LINE_BUDGET_BYTES);
  readonly #longTasks = new OneAtATime();

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

  /** Serves one client until it is done. Never rejects. Aborting `signal` ends it at once. */
  serve(
    conn: ByteConn & { readonly closed?: Promise<unknown> },
    caller: Caller,
    signal: AbortSignal,
  ): Promise<void> {
    const deps = {
      ...this.#deps,
      budget: this.#budget,
      longTasks: this.#longTasks,
      parse: (line: string) => this.#parse(line),
    };
    return new ControlSession(deps, conn, caller, signal).serve();
  }

  #parse(line: string): CommandRun {
    if (line.startsWith("{")) {
      const fields = parseFields(line);
      const word = member(fields, "command");
      if (word === undefined) throw new ControlError(refusals.commandMissing);
      if (typeof word !== "string") throw new ControlError(refusals.commandNotString);
      return this.#find(word).fromFields(fields);
    }
    const [word, rest = ""] = cutWord(line);
    return this.#find(word.toLowerCase()).fromWords(rest);
  }

  #find(word: string): CommandType {
    const command = this.#commands.get(word);
    if (command === undefined) throw new ControlError(refusals.unknownCommand(word));
    return command;
  }
}
