/**
 * What a signature is for, as text: one command about one unit. A signature that is seen on the way
 * is then good for nothing else. The payload is not covered: it follows the command.
 */
import { createHash } from "node:crypto";

/** `work submit` of a unit under the id `unitId`, with all that the command says of it. */
export function submitCommand(
  unitId: string,
  request: { readonly workType: string; readonly params: Readonly<Record<string, string>> },
): string {
  const params = Object.entries(request.params).sort(([one], [other]) => one < other ? -1 : 1);
  const said = JSON.stringify([request.workType, params]);
  return `submit ${unitId} ${createHash("sha256").update(said).digest("hex")}`;
}

/** Any other command about the unit `unitId`; a forced release is a release, too. */
export function unitCommand(subcommand: "cancel" | "release" | "results", unitId: string): string {
  return `${subcommand} ${unitId}`;
}
