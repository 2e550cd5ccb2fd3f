/** IP through the mesh, between network namespaces with one node each, and with the Go daemon. */
import { meshTest } from "../support/mesh.ts";
import { missingForNamespaces } from "../support/namespaces.ts";
import type { NodeKind } from "../support/peers.ts";
import { routeForEachOther } from "../services/ip/_routed_nodes.ts";

const missing = missingForNamespaces();

const LINES: readonly NodeKind[][] = [
  ["ours", "ours"],
  ["go", "ours"],
  ["ours", "go"],
  ["ours", "go", "ours"],
];

for (const kinds of LINES) {
  meshTest(
    `IP is routed along ${kinds.join(" - ")}: pings, 50 MB each way, and routes that come and go`,
    { kinds, missing, timeoutMs: 600_000 },
    (mesh) => routeForEachOther(mesh, kinds),
  );
}
