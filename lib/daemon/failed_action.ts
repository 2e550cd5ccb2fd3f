/** Failures to run an action, reported like mistakes in its configuration: with its position. */
import { messageOf } from "../base/error_message.ts";
import type { ActionSpec, Configured } from "../config/action.ts";
import { ConfigError } from "../config/config_error.ts";

/** Reports `cause` as the failure of `configured`, or of one of its parameters. */
export function failedAction(
  { action, position }: Pick<Configured<ActionSpec>, "action" | "position">,
  cause: unknown,
  parameter?: string,
): ConfigError {
  const reason = messageOf(cause);
  return new ConfigError(reason, { action: action.name, position, parameter, cause });
}
