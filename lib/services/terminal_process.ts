/** A command in a session of its own, whose controlling terminal is a pseudo terminal. */
import type { Clock } from "../base/clock.ts";
import { markOf, READ_START_SCRIPT, SET_MARK_SCRIPT } from "../workceptor/command/job_mark.ts";
import {
  parseStatLine,
  type ProcessEntry,
  readProcFile,
} from "../workceptor/command/process_identity.ts";
import { pastShell } from "../workceptor/command/shell_environment.ts";
import { stopJob } from "../workceptor/command/stop_job.ts";
import type { TerminalGuard } from "./terminal_guard.ts";

/** From a SIGHUP to the SIGKILL of those that are still there, in milliseconds. */
const GRACE_MS = 3_000;
/** The name that the shell uses in its messages. */
const SHELL_NAME = "receptor-command";
const NEVER = new AbortController().signal;

/**
 * A terminal that the leader of a session opens becomes the one that controls it, if it has none.
 * Then the shell becomes the command.
 */
const scriptFor = (execCommand: string) => `
${READ_START_SCRIPT}
${SET_MARK_SCRIPT}
exec <>"$1" >&0 2>&0 || exit
shift
${execCommand}
`;

export interface TerminalProcessDeps {
  readonly clock: Clock;
  readonly guard: TerminalGuard;
}

export interface TerminalCommand {
  /** The command, which has been found to be executable, and its arguments. */
  readonly words: readonly string[];
  /** All of its environment. */
  readonly environment: Readonly<Record<string, string>>;
}

export class TerminalProcess {
  /** Resolves when the command itself has ended; never rejects. */
  readonly exited: Promise<void>;
  readonly #clock: Clock;
  readonly #leader: ProcessEntry;
  readonly #guarded: Disposable;
  #ending: Promise<readonly ProcessEntry[]> | undefined;

  /** Starts the command on the terminal at `path`. Throws if there can be no more processes. */
  constructor(
    { clock, guard }: TerminalProcessDeps,
    path: string,
    { words, environment }: TerminalCommand,
  ) {
    this.#clock = clock;
    const { env, execCommand } = pastShell(environment);
    const child = new Deno.Command("/bin/sh", {
      args: ["-c", scriptFor(execCommand), SHELL_NAME, path, ...words],
      clearEnv: true,
      env: { ...environment, ...env },
      stdin: "null",
      stdout: "null",
      stderr: "null",
      detached: true,
    }).spawn();
    this.exited = child.status.then(() => {}, () => {});
    try {
      // Before the first await: until then, even a child that has ended keeps its pid.
      this.#leader = parseStatLine(readProcFile(child.pid, "stat") ?? "")!;
      if (this.#leader === undefined) throw new Error(`cannot see process ${child.pid} in /proc`);
    } catch (error) {
      child.kill("SIGKILL");
      throw error;
    }
    this.#guarded = guard.watch(markOf(this.#leader));
  }

  /**
   * Hangs up on the command and all that it has started, wherever that is by now, and kills what is
   * left after a while. Resolves to those that could not be ended. Rejects if processes cannot be
   * looked up, for lack of file descriptors, say; then it may be called again.
   */
  async end(): Promise<readonly ProcessEntry[]> {
    this.#ending ??= stopJob({ leader: this.#leader }, {
      clock: this.#clock,
      graceMs: GRACE_MS,
      insist: NEVER,
      signal: NEVER,
      ask: "hang up",
    });
    try {
      const left = await this.#ending;
      this.#guarded[Symbol.dispose]();
      return left;
    } catch (error) {
      this.#ending = undefined;
      throw error;
    }
  }
}
