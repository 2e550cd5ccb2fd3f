/** Leads each connection to a command on a pseudo terminal of its own. */
import type { Clock } from "../base/clock.ts";
import { Libc } from "../base/libc.ts";
import { PolledFiles } from "../base/polled_files.ts";
import { ExecutableCheck } from "../workceptor/command/executable_check.ts";
import { splitWords } from "../workceptor/command/shell_words.ts";
import { PseudoTerminal, type WindowSize } from "./pseudo_terminal.ts";
import type { Carry, Exit, Incoming } from "./service.ts";
import { terminalEnvironment } from "./terminal_environment.ts";
import { TerminalGuard } from "./terminal_guard.ts";
import { terminalBeginning } from "./terminal_input.ts";
import { TerminalProcess } from "./terminal_process.ts";
import { TerminalSession } from "./terminal_session.ts";

/** Connections of one service at once: a system has some thousand terminals for all its users. */
export const MAX_TERMINALS = 256;
/** Of a client that does not say. */
const USUAL_WINDOW: WindowSize = { rows: 24, columns: 80 };

export interface TerminalExitOptions {
  /** A command and its arguments, as the original splits them. */
  readonly command: string;
  /** The node's own environment. */
  readonly environment: Readonly<Record<string, string>>;
}

/** What all terminals share. */
interface System {
  readonly libc: Libc;
  readonly files: PolledFiles;
  readonly guard: TerminalGuard;
}

export class TerminalExit implements Exit {
  readonly problem = "Error running command";
  readonly #clock: Clock;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #words: readonly string[];
  readonly #executable: ExecutableCheck;
  /** From the first connection on. */
  #system: System | undefined;

  /** Throws a `SyntaxError` if `command` cannot be split into words, and on systems other than Linux. */
  constructor({ clock }: { readonly clock: Clock }, { command, environment }: TerminalExitOptions) {
    Libc.assertSupported();
    this.#clock = clock;
    this.#environment = environment;
    this.#words = splitWords(command);
    const [program] = this.#words;
    if (program === undefined) throw new SyntaxError("there is no command");
    this.#executable = new ExecutableCheck(program, terminalEnvironment(environment).PATH);
  }

  async open(incoming: Incoming, signal: AbortSignal): Promise<Carry> {
    const clock = this.#clock;
    const { terminal: name, window, rest } = await terminalBeginning(
      incoming,
      signal,
    );
    const environment = terminalEnvironment(this.#environment, name);
    await this.#executable.throwUnlessRunnable(clock.now());
    signal.throwIfAborted();
    const { libc, files, guard } = this.#system ??= openSystem();
    const terminal = PseudoTerminal.open(libc, files);
    try {
      terminal.resize(isKnown(window) ? window : USUAL_WINDOW);
      const command = { words: this.#words, environment };
      const process = new TerminalProcess({ clock, guard }, terminal.path, command);
      const session = new TerminalSession({ clock, incoming, input: rest, terminal, process });
      return (signal) => session.run(signal);
    } catch (error) {
      terminal.close();
      throw error;
    }
  }

  /** No connection may be left. */
  async [Symbol.asyncDispose](): Promise<void> {
    const system = this.#system;
    this.#system = undefined;
    if (system === undefined) return;
    await system.guard[Symbol.asyncDispose]();
    await system.files[Symbol.asyncDispose]();
    system.libc[Symbol.dispose]();
  }
}

function isKnown(window: WindowSize | undefined): window is WindowSize {
  return window !== undefined && window.rows > 0 && window.columns > 0;
}

function openSystem(): System {
  const libc = new Libc();
  let guard: TerminalGuard | undefined;
  try {
    guard = new TerminalGuard();
    return { libc, guard, files: new PolledFiles(libc) };
  } catch (error) {
    void guard?.[Symbol.asyncDispose]();
    libc[Symbol.dispose]();
    throw error;
  }
}
