/**
 * Looks a command up before it is run, so that a wrong one fails in the original's words instead
 * of a shell's.
 */

/** Why a command cannot be run; the message is the unit's `Detail`. */
export class ExecutableNotFoundError extends Error {
  override readonly name = "ExecutableNotFoundError";
}

/**
 * Throws an `ExecutableNotFoundError` unless `command` can be run: as a path when it has a slash,
 * else by the folders in `searchPath` (colon-separated).
 */
export async function findExecutable(command: string, searchPath: string): Promise<void> {
  if (command.includes("/")) {
    const problem = await executableProblem(command);
    if (problem !== undefined) {
      throw new ExecutableNotFoundError(`fork/exec ${command}: ${problem}`);
    }
    return;
  }
  for (const folder of searchPath.split(":")) {
    if (command !== "" && await executableProblem(`${folder || "."}/${command}`) === undefined) {
      return;
    }
  }
  throw new ExecutableNotFoundError(
    `exec: ${JSON.stringify(command)}: executable file not found in $PATH`,
  );
}

async function executableProblem(path: string): Promise<string | undefined> {
  try {
    const { isFile, mode } = await Deno.stat(path);
    return isFile && ((mode ?? 0o111) & 0o111) !== 0 ? undefined : "permission denied";
  } catch (error) {
    if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
    return "no such file or directory";
  }
}
