/** `ping`: one round trip to a node of the mesh. */
import { messageOf } from "../../base/error_message.ts";
import { formatGoDuration } from "../../base/go_duration.ts";
import type { CommandContext, CommandRun, CommandType } from "../command.ts";
import { ControlError } from "../control_error.ts";
import { stringMember } from "../json_fields.ts";
import { refusals } from "../texts.ts";

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

/** A failed ping is a reply, not an error; the mesh gives up on one that nobody answers. */
function pingNode(node: string): CommandRun {
  return async ({ deps, signal }: CommandContext) => {
    try {
      const reply = await deps.mesh.ping(node, { signal });
      if (reply.error !== "") return { Error: reply.error, Success: false };
      const timeNs = Math.round(reply.timeNs);
      return { From: reply.from, Success: true, Time: timeNs, TimeStr: formatGoDuration(timeNs) };
    } catch (error) {
      signal.throwIfAborted();
      return { Error: messageOf(error), Success: false };
    }
  };
}
