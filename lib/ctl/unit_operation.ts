/** Cancelling and releasing, one unit after the other. */
import { messageOf } from "../base/error_message.ts";
import type { NodeConnection } from "./ctl.ts";
import { CtlError } from "./ctl_error.ts";
import type { Terminal } from "./terminal.ts";

/** Prints the node's answer for each unit; throws a `CtlError` at the first refusal. */
export async function operateOnUnits(
  { node, terminal }: { node: NodeConnection; terminal: Terminal },
  operation: "cancel" | "release" | "force-release",
  unitIds: readonly string[],
): Promise<void> {
  for (const unitId of unitIds) {
    let reply: Record<string, unknown>;
    try {
      reply = await node.command(`work ${operation} ${unitId}`);
    } catch (cause) {
      const why = messageOf(cause);
      throw new CtlError(`${unitId}: ERROR: ${why}`, undefined, { cause });
    }
    const [done, id] = Object.entries(reply)[0] ?? [operation, unitId];
    await terminal.print(`(${id}, ${done})`);
  }
}
