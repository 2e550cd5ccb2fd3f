/** `status`: what this node knows of itself and of the mesh. */
import type { CommandContext, CommandRun, CommandType, Fields } from "../command.ts";
import { ControlError } from "../control_error.ts";
import { member } from "../json_fields.ts";
import { refusals } from "../texts.ts";

/** Field by field, in the order in which the original prints them. */
const GETTERS: Readonly<Record<string, (context: CommandContext) => unknown>> = {
  Advertisements: ({ deps }) => deps.mesh.status(["Advertisements"]).Advertisements,
  // The original has nothing like it: only there when there is something to say.
  Certificates: ({ deps }) => {
    const expiring = deps.expiringCertificates?.() ?? [];
    return expiring.length > 0 ? expiring : undefined;
  },
  Connections: ({ deps }) => deps.mesh.status(["Connections"]).Connections,
  KnownConnectionCosts: ({ deps }) => {
    const { KnownConnectionCosts } = deps.mesh.status(["KnownConnectionCosts"]);
    const costs = Object.entries(KnownConnectionCosts);
    return sortedByKey(Object.fromEntries(costs.map(([node, row]) => [node, sortedByKey(row)])));
  },
  NodeID: ({ deps }) => deps.mesh.nodeId,
  RoutingTable: ({ deps }) => sortedByKey(deps.mesh.status(["RoutingTable"]).RoutingTable),
  SystemCPUCount: ({ deps }) => deps.system.cpuCount,
  SystemMemoryMiB: ({ deps }) => deps.system.memoryMiB,
  Version: ({ deps }) => deps.system.version,
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
