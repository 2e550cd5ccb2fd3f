/**
 * Looks a command up before it is run, so that a wrong one fails with the original's message
 * instead of a shell's.
 */
import { executableProblem, formatProblem } from "./executable_format.ts";

/** Why a command cannot be run; the message is the unit's `Detail`. */
export class ExecutableNotFoundError extends Error {
  override readonly name = "ExecutableNotFoundError";
}

/**
 * How long a finding counts while the file itself has not changed: an interpreter or a file in an
 * earlier folder may have. Then the shell has the last word, so nothing wrong is run.
 */
const FINDING_MS = 5_000;

interface Finding {
  readonly path: string;
  readonly identity: string;
  readonly expiresAt: number;
}

export class ExecutableCheck {
  readonly #command: string;
  readonly #searchPath: string;
  /** The latest finding, or the look-up that is under way: many jobs may start at once. */
  #finding: Promise<Finding> | undefined;

  /** `searchPath` holds folders with commands, colon-separated. */
  constructor(command: string, searchPath: string) {
    this.#command = command;
    this.#searchPath = searchPath;
  }

  /**
   * Throws an `ExecutableNotFoundError` unless the command can be run: as a path if it has a slash,
   * else from one of the folders of the search path. `now` is in milliseconds.
   */
  async throwUnlessRunnable(now: number): Promise<void> {
    const known = await this.#finding?.catch(() => undefined);
    if (known && now < known.expiresAt && await identityOf(known.path) === known.identity) return;
    const looking = this.#finding = this.#look(now);
    await looking.catch((error) => {
      if (this.#finding === looking) this.#finding = undefined;
      throw error;
    });
  }

  async #look(now: number): Promise<Finding> {
    const command = this.#command;
    const path = command.includes("/") ? command : await lookUp(command, this.#searchPath);
    if (path === undefined) {
      const quoted = JSON.stringify(command);
      throw new ExecutableNotFoundError(`exec: ${quoted}: executable file not found in $PATH`);
    }
    const identity = await identityOf(path);
    const problem = await executableProblem(path) ?? await formatProblem(path);
    if (problem !== undefined) throw new ExecutableNotFoundError(`fork/exec ${path}: ${problem}`);
    return { path, identity, expiresAt: now + FINDING_MS };
  }
}

async function lookUp(command: string, searchPath: string): Promise<string | undefined> {
  if (command === "") return undefined;
  for (const folder of searchPath.split(":")) {
    const path = `${folder || "."}/${command}`;
    if (await executableProblem(path) === undefined) return path;
  }
  return undefined;
}

/** What changes when a file is replaced, or its contents or permissions are changed. */
async function identityOf(path: string): Promise<string> {
  try {
    const { dev, ino, mode, size, mtime, ctime } = await Deno.stat(path);
    return [dev, ino, mode, size, mtime?.getTime(), ctime?.getTime()].join(" ");
  } catch {
    return "";
  }
}
