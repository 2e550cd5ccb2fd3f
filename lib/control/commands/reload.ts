/** `reload`: reads the configuration again. The daemon does the work. */
import { messageOf } from "../../base/error_message.ts";
import type { CommandRun, CommandType } from "../command.ts";
import { ReloadError, ReloadErrorCode } from "../reload_error.ts";
import { refusals } from "../texts.ts";

/** Parameters are ignored in both forms, as in the original. */
export const reload: CommandType = {
  fromWords: () => run,
  fromFields: () => run,
};

/** A failed reload is a reply, with the code that receptorctl exits with. */
const run: CommandRun = async ({ deps }) => {
  try {
    if (deps.reload === undefined) {
      throw new ReloadError(refusals.noReload, ReloadErrorCode.BrokenConfig);
    }
    await deps.reload();
    return { Success: true };
  } catch (error) {
    const message = messageOf(error);
    deps.log.warning(`Reload not successful: ${message}`);
    const code = error instanceof ReloadError ? ` ERRORCODE ${error.code}` : "";
    return { Error: message + code, Success: false };
  }
};
