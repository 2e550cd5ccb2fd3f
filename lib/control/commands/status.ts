/** `status`: what this node knows about itself and the mesh. */
import type { CommandRun, CommandType, ControlDeps, Fields } from "../command.ts";
import { ControlError } from "../control_error.ts";
import { member } from "../json_fields.ts";
import { refusals } from "../texts.ts";

/** How long to work on a reply before others get a turn of the event loop. */
const MAX_BUSY_MS = 20;

/** The fields, in the order in which the original prints them. */
const FIELDS: Readonly<Record<string, (deps: ControlDeps) => unknown>> = {
  Advertisements: ({ mesh }) => collect(mesh.advertisements(), (service) => service),
  Connections: ({ mesh }) => mesh.status(["Connections"]).Connections,
  KnownConnectionCosts: async ({ mesh }) =>
    sortedByKey(
      await collect(mesh.connectionCosts(), ([node, row]) => [node, sortedByKey(row)] as const),
    ),
  NodeID: ({ mesh }) => mesh.nodeId,
  RoutingTable: ({ mesh }) =>
    sortedByKey(Object.entries(mesh.status(["RoutingTable"]).RoutingTable)),
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
  return ({ deps, longTask }) =>
    longTask(async () => {
      const reply: Record<string, unknown> = {};
      for (const [name, read] of fields) reply[name] = await read(deps);
      return reply;
    });
}

/** Makes something of each item, in as many turns of the event loop as that takes. */
async function collect<Item, Result>(
  items: Iterable<Item>,
  make: (item: Item) => Result,
): Promise<Result[]> {
  const made: Result[] = [];
  let turnMs = performance.now();
  for (const item of items) {
    made.push(make(item));
    if (performance.now() - turnMs < MAX_BUSY_MS) continue;
    await new Promise((resolve) => setImmediate(resolve));
    turnMs = performance.now();
  }
  return made;
}

/** The original prints maps in the order of their keys, and so does its client. */
function sortedByKey<T>(entries: Iterable<readonly [string, T]>): Record<string, T> {
  return Object.fromEntries([...entries].sort(([one], [other]) => one < other ? -1 : 1));
}
