/** Commands on terminals, with a Go daemon at one end. */
import { workWithShell } from "../services/_terminals_through_daemons.ts";
import { meshTest } from "../support/mesh.ts";

for (const tls of [false, true]) {
  for (const [near, far] of [["go", "ours"], ["ours", "go"]] as const) {
    meshTest(
      `a user at a node of kind ${near} works with a shell at one of kind ${far}${
        tls ? ", TLS" : ""
      }`,
      { kinds: ["ours", "go"] },
      (mesh) => workWithShell(mesh, { near, far, tls }),
    );
  }
}
