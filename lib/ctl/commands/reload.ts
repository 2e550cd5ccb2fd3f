/** `receptorctl reload`: makes the node read its configuration again. */
import type { Ctl } from "../ctl.ts";
import { ExitCode } from "../ctl_error.ts";

export async function reload({ node, terminal }: Ctl): Promise<number> {
  const reply = await node.command("reload");
  if (reply.Success === true) {
    await terminal.print("Reload successful");
    return 0;
  }
  const problem = String(reply.Error);
  await terminal.error(problem);
  if (problem.includes("ERRORCODE 3")) return ExitCode.ReloadNotReloadable;
  if (problem.includes("ERRORCODE 4")) return ExitCode.ReloadBrokenConfig;
  return ExitCode.ReloadOther;
}
