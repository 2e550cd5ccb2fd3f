/** The parameters of a submission, from `-a key=value` and the words after the work type. */
import { CtlError, ExitCode, UsageError } from "./ctl_error.ts";

/**
 * `@file` as a value stands for the file's text; a value that begins with `@@` is sent as it is.
 * The words after the work type are appended to the parameter `params`. Throws a `CtlError`.
 */
export async function readParameters(
  assignments: readonly string[],
  words: readonly string[],
): Promise<Record<string, string>> {
  const params: Record<string, string> = Object.create(null);
  for (const assignment of assignments) {
    const equals = assignment.indexOf("=");
    if (equals === -1) {
      throw new UsageError(
        `Parameter '${assignment}' is not of the form key=value.`,
        ExitCode.SubmitFailed,
      );
    }
    params[assignment.slice(0, equals)] = assignment.slice(equals + 1);
  }
  if (words.length > 0) {
    params.params = [...(params.params === undefined ? [] : [params.params]), ...words].join(" ");
  }
  for (const [name, value] of Object.entries(params)) {
    if (value.startsWith("@") && !value.startsWith("@@")) {
      params[name] = await readParameterFile(value.slice(1));
    }
  }
  return params;
}

async function readParameterFile(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (cause) {
    const message = cause instanceof Deno.errors.NotFound
      ? `${path} does not exist`
      : `could not read from file ${path}`;
    throw new CtlError(message, ExitCode.SubmitFailed, { cause });
  }
}
