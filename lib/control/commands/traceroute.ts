/** `traceroute`: one round trip to each hop on the way to a node. */
import { formatGoDuration } from "../../base/go_duration.ts";
import type { CommandRun, CommandType } from "../command.ts";
import { ControlError } from "../control_error.ts";
import { stringMember } from "../json_fields.ts";
import { refusals } from "../texts.ts";

export const traceroute: CommandType = {
  fromWords(words) {
    if (words === "") throw new ControlError(refusals.noTracerouteTarget);
    return trace(words);
  },

  fromFields(fields) {
    return trace(stringMember(
      fields,
      "target",
      refusals.noTracerouteTarget,
      refusals.tracerouteTargetNotString,
    ));
  },
};

/** Replies by hop number: "0" is this node itself. */
function trace(node: string): CommandRun {
  return async ({ deps, signal }) => {
    const hops: Record<string, unknown> = {};
    let hop = 0;
    for await (const reply of deps.mesh.traceroute(node, { signal })) {
      const timeNs = Math.round(reply.timeNs);
      hops[hop++] = {
        ...(reply.error === "" ? {} : { Error: reply.error }),
        From: reply.from,
        Time: timeNs,
        TimeStr: formatGoDuration(timeNs),
      };
    }
    return hops;
  };
}
