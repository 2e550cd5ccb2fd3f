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
 * Throws an `ExecutableNotFoundError` unless `command` can be run: as a path if it has a slash,
 * else from one of the folders in `searchPath` (colon-separated).
 */
export async function findExecutable(command: string, searchPath: string): Promise<void> {
  const path = command.includes("/") ? command : await lookUp(command, searchPath);
  if (path === undefined) {
    const quoted = JSON.stringify(command);
    throw new ExecutableNotFoundError(`exec: ${quoted}: executable file not found in $PATH`);
  }
  const problem = await executableProblem(path) ?? await formatProblem(path);
  if (problem !== undefined) throw new ExecutableNotFoundError(`fork/exec ${path}: ${problem}`);
}

async function lookUp(command: string, searchPath: string): Promise<string | undefined> {
  if (command === "") return undefined;
  for (const folder of searchPath.split(":")) {
    const path = `${folder || "."}/${command}`;
    if (await executableProblem(path) === undefined) return path;
  }
  return undefined;
}
