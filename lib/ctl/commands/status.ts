/** `receptorctl status`: the node's view of the mesh, as tables or as JSON. */
import type { Ctl } from "../ctl.ts";
import { pythonDictionary, sortedJson } from "../python_text.ts";

/** Members that have a place in the text; anything else a node sends is shown as JSON. */
interface Status {
  NodeID: string;
  Version: string;
  SystemCPUCount: number;
  SystemMemoryMiB: number;
  Connections: { NodeID: string; Cost: number }[] | null;
  KnownConnectionCosts: Record<string, Record<string, number>> | null;
  RoutingTable: Record<string, string> | null;
  Advertisements: Advertisement[] | null;
  /** Those close to expiry, if any. */
  Certificates?: ExpiringCertificate[];
}

interface ExpiringCertificate {
  Kind: string;
  Name: string;
  Cert: string;
  NotAfter: string;
}

interface Advertisement {
  NodeID: string;
  Service: string;
  Time: string;
  ConnType: number;
  Tags: Record<string, unknown> | null;
  WorkCommands: { WorkType: string; Secure: boolean }[] | null;
}

const MIN_NODE_WIDTH = 12;
const CONN_TYPES: Readonly<Record<number, string>> = { 0: "Datagram", 1: "Stream", 2: "StreamTLS" };

export async function status({ node, terminal }: Ctl, options: { json: boolean }): Promise<void> {
  const reply = await node.command("status");
  // A node of ours sends this only if asked by name; the original ignores the unknown name.
  const { Certificates = [] } = await node.command({
    command: "status",
    requested_fields: ["Certificates"],
  }) as Partial<Status>;
  const whole = Certificates.length === 0 ? reply : { ...reply, Certificates };
  if (options.json) await terminal.printJson(whole);
  else await terminal.printLines(renderStatus(whole as unknown as Status));
}

/** The lines of the text form, section by section; a section without entries is left out. */
function renderStatus(reply: Status): string[] {
  const {
    NodeID,
    Version,
    SystemCPUCount,
    SystemMemoryMiB,
    Connections,
    KnownConnectionCosts,
    RoutingTable,
    Advertisements,
    Certificates = [],
    ...additional
  } = reply;
  const connections = Connections ?? [];
  const costs = Object.entries(KnownConnectionCosts ?? {});
  const routes = Object.entries(RoutingTable ?? {});
  const adverts = Advertisements ?? [];
  const width = Math.max(
    MIN_NODE_WIDTH,
    ...connections.map(({ NodeID }) => NodeID.length),
    ...costs.map(([node]) => node.length),
  );
  const table = (name: string, header: string, rows: [string, string][]) =>
    rows.length === 0 ? [] : [
      "",
      ...[[name, header] as const, ...rows].map(([node, rest]) => `${node.padEnd(width)} ${rest}`),
    ];
  const lines = [
    `Node ID: ${NodeID}`,
    `Version: ${Version}`,
    `System CPU Count: ${SystemCPUCount}`,
    `System Memory MiB: ${SystemMemoryMiB}`,
    ...table("Connection", "Cost", connections.map((link) => [link.NodeID, String(link.Cost)])),
    ...table(
      "Known Node",
      "Known Connections",
      costs.map(([node, peers]) => [
        node,
        Object.entries(peers).map(([peer, cost]) => `${peer}: ${cost} `).join(""),
      ]),
    ),
    ...table("Route", "Via", routes),
    ...table(
      "Node",
      "Service   Type       Last Seen             Tags",
      adverts.map((advert) => [advert.NodeID, serviceRow(advert)]),
    ),
    ...table("Node", "Work Types", workTypes(adverts, false)),
    ...table("Node", "Secure Work Types", workTypes(adverts, true)),
    ...(Certificates.length === 0 ? [] : [
      "",
      "Certificates close to expiry",
      ...Certificates.map(({ Kind, Name, Cert, NotAfter }) =>
        `${NotAfter} ${Cert} (${Kind} ${Name})`
      ),
    ]),
  ];
  if (Object.keys(additional).length > 0) {
    lines.push(
      "Additional data returned from Receptor:",
      ...sortedJson(additional).split("\n"),
    );
  }
  return lines;
}

function serviceRow({ Service, ConnType, Time, Tags }: Advertisement): string {
  // The time stays in the time zone that the node wrote it in.
  const lastSeen = Time.slice(0, 19).replace("T", " ");
  const tags = Tags === null ? "-" : pythonDictionary(Tags);
  const type = CONN_TYPES[ConnType] ?? String(ConnType);
  return `${Service.padEnd(9)} ${type.padEnd(10)} ${lastSeen.padEnd(21)} ${tags.padEnd(16)}`;
}

/** A node may advertise several services with work types: the first counts. */
function workTypes(adverts: readonly Advertisement[], secure: boolean): [string, string][] {
  const rows = new Map<string, string>();
  for (const { NodeID, WorkCommands } of adverts) {
    const names = (WorkCommands ?? [])
      .filter(({ Secure }) => Secure === secure)
      .map(({ WorkType }) => WorkType);
    if (names.length > 0 && !rows.has(NodeID)) rows.set(NodeID, names.join(", "));
  }
  return [...rows];
}
