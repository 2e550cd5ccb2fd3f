/** TCP, UDP and Unix sockets through the mesh, with a Go daemon at one end. */
import { meshTest } from "../support/mesh.ts";
import { carryDatagrams } from "../services/_udp_through_daemons.ts";
import { CARRIERS, carryBytes } from "../services/_through_daemons.ts";

const BYTES = 20_000_000;
/** The Go daemon's streams are slow. */
const TIMEOUT_MS = 400_000;

for (const carrier of CARRIERS) {
  for (const [near, far] of [["go", "ours"], ["ours", "go"]] as const) {
    meshTest(
      `${carrier}: bytes come in at a node of kind ${near} and go on from one of kind ${far}`,
      { kinds: ["ours", "go"], timeoutMs: TIMEOUT_MS },
      (mesh) => carryBytes(mesh, { near, far, carrier, bytes: BYTES }),
    );
  }
}

for (const [near, far] of [["go", "ours"], ["ours", "go"]] as const) {
  meshTest(
    `UDP: datagrams come in at a node of kind ${near} and go on from one of kind ${far}`,
    { kinds: ["ours", "go"] },
    (mesh) => carryDatagrams(mesh, near, far),
  );
}
