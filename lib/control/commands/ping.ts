/** `ping`: one round trip to a node of the mesh. */
import { messageOf } from "../../base/error_message.ts";
import { formatGoDuration } from "../../base/go_duration.ts";
import type { CommandContext, CommandRun, CommandType } from "../command.ts";
import { ControlError } from "../control_error.ts";
import { stringMember } from "../json_fields.ts";
import { PING_TIMEOUT_MESSAGE, refusals } from "../texts.ts";

/** As long as the original waits. */
const PING_TIMEOUT_MS = 10_000;

export const ping: CommandType = {
  fromWords(words) {
    if (words === "") throw new ControlError(refusals.noPingTarget);
    return pingNode(words);
  },

  fromFields(fields) {
    return pingNode(
      stringMember(fields, "target", refusals.noPingTarget, refusals.pingTargetNotString),
    );
  },
};

/** A ping that fails is a reply, not an error. */
function pingNode(node: string): CommandRun {
  return async ({ deps, signal }: CommandContext) => {
    const deadline = new AbortController();
    using _timer = deps.clock.after(
      PING_TIMEOUT_MS,
      () => deadline.abort(new Error(PING_TIMEOUT_MESSAGE)),
    );
    try {
      const reply = await deps.mesh.ping(node, {
        signal: AbortSignal.any([signal, deadline.signal]),
      });
      if (reply.error !== "") return { Error: reply.error, Success: false };
      const timeNs = Math.round(reply.timeNs);
      return { From: reply.from, Success: true, Time: timeNs, TimeStr: formatGoDuration(timeNs) };
    } catch (error) {
      signal.throwIfAborted();
      return { Error: messageOf(error), Success: false };
    }
  };
}
