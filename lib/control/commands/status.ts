/** `status`: what this node knows about itself and the mesh. */
import type { CommandRun, CommandType, ControlDeps, Fields } from "../command.ts";
import { ControlError } from "../control_error.ts";
import { member } from "../json_fields.ts";
import { refusals } from "../texts.ts";

/** The fields, in the order in which the original prints them. */
const FIELDS: Readonly<Record<string, (deps: ControlDeps) => unknown>> = {
  Advertisements: ({ mesh }) => mesh.status(["Advertisements"]).Advertisements,
  Connections: ({ mesh }) => mesh.status(["Connections"]).Connections,
  KnownConnectionCosts: ({ mesh }) => {
    const { KnownConnectionCosts } = mesh.status(["KnownConnectionCosts"]);
    const costs = Object.entries(KnownConnectionCosts);
    return sortedByKey(Object.fromEntries(costs.map(([node, row]) => [node, sortedByKey(row)])));
  },
  NodeID: ({ mesh }) => mesh.nodeId,
  RoutingTable: ({ mesh }) => sortedByKey(mesh.status(["RoutingTable"]).RoutingTable),
  SystemCPUCount: ({ system }) => system.cpuCount,
  SystemMemoryMiB: ({ system }) => system.memoryMiB,
  Version: ({ system }) => system.version,
};

/**
 * Fields that the original does not have: only on request, as its clients compare the set of
 * members.
 */
const OWN_FIELDS: typeof FIELDS = {
  Certificates: ({ expiringCertificates }) => expiringCertificates?.() ?? [],
};

export const status: CommandType = {
  fromWords(words) {
    if (words !== "") throw new ControlError(refusals.statusParameters);
    return show(Object.entries(FIELDS));
  },

  /** `requested_fields` limits the reply; unknown names are ignored, as in the original. */
  fromFields(fields: Fields) {
    if (!Object.hasOwn(fields, "requested_fields")) return show(Object.entries(FIELDS));
    const requested = member(fields, "requested_fields");
    if (!Array.isArray(requested)) throw new ControlError(refusals.requestedFieldsNotList);
    if (requested.some((name) => typeof name !== "string")) {
      throw new ControlError(refusals.requestedFieldNotString);
    }
    const names = new Set<string>(requested);
    const known = Object.entries({ ...FIELDS, ...OWN_FIELDS });
    return show(known.filter(([name]) => names.has(name)));
  },
};

function show(fields: [string, (deps: ControlDeps) => unknown][]): CommandRun {
  return ({ deps }) =>
    Promise.resolve(Object.fromEntries(fields.map(([name, read]) => [name, read(deps)])));
}

/** The original prints maps in the order of their keys, and so does its client. */
function sortedByKey<T>(record: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(
    Object.entries(record).sort(([one], [other]) => one < other ? -1 : 1),
  );
}
