/** `status`: what this node knows of itself and of the mesh. */
import type { CommandContext, CommandRun, CommandType, Fields } from "../command.ts";
import { ControlError } from "../control_error.ts";
import { member } from "../json_fields.ts";
import { refusals } from "../texts.ts";

/** Field by field, in the order in which the original prints them. */
const GETTERS: Readonly<Record<string, (context: CommandContext) => unknown>> = {
  Advertisements: ({ parts }) => parts.mesh.status().Advertisements,
  // The original has nothing like it: only there when there is something to say.
  Certificates: ({ parts }) => {
    const expiring = parts.expiringCertificates?.() ?? [];
    return expiring.length > 0 ? expiring : undefined;
  },
  Connections: ({ parts }) => parts.mesh.status().Connections,
  KnownConnectionCosts: ({ parts }) => {
    const costs = Object.entries(parts.mesh.status().KnownConnectionCosts);
    return sortedByKey(Object.fromEntries(costs.map(([node, row]) => [node, sortedByKey(row)])));
  },
  NodeID: ({ parts }) => parts.mesh.nodeId,
  RoutingTable: ({ parts }) => sortedByKey(parts.mesh.status().RoutingTable),
  SystemCPUCount: ({ parts }) => parts.system.cpuCount,
  SystemMemoryMiB: ({ parts }) => parts.system.memoryMiB,
  Version: ({ parts }) => parts.system.version,
};

export const status: CommandType = {
  fromWords(words) {
    if (words !== "") throw new ControlError(refusals.statusParameters);
    return show(() => true);
  },

  /** `requested_fields` limits the reply; unknown names are passed over, as in the original. */
  fromFields(fields: Fields) {
    if (!Object.hasOwn(fields, "requested_fields")) return show(() => true);
    const requested = member(fields, "requested_fields");
    if (!Array.isArray(requested)) throw new ControlError(refusals.requestedFieldsNotList);
    if (requested.some((name) => typeof name !== "string")) {
      throw new ControlError(refusals.requestedFieldNotString);
    }
    const names = new Set<string>(requested);
    return show((name) => names.has(name));
  },
};

function show(wanted: (name: string) => boolean): CommandRun {
  return (context) => {
    const entries = Object.entries(GETTERS).filter(([name]) => wanted(name));
    return Promise.resolve(
      Object.fromEntries(entries.map(([name, getter]) => [name, getter(context)])),
    );
  };
}

/** The original prints maps in the order of their keys, and so does its client. */
function sortedByKey<T>(record: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(
    Object.entries(record).sort(([one], [other]) => one < other ? -1 : 1),
  );
}
