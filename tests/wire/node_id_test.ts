import { equal } from "node:assert/strict";
import { isLocalhost, isNodeId } from "../../lib/wire/node_id.ts";

Deno.test("isLocalhost knows the name for this node in any case, and nothing longer", () => {
  for (const name of ["localhost", "LOCALHOST", "LocalHost"]) equal(isLocalhost(name), true, name);
  for (
    const name of ["", "local", "localhost.", "localhost.localdomain", "localhost1", " localhost"]
  ) {
    equal(isLocalhost(name), false, name);
  }
});

Deno.test("isNodeId takes printable text of 1 to 255 bytes", () => {
  for (const id of ["a", "node 1", "ä".repeat(127), "x".repeat(255)]) equal(isNodeId(id), true, id);
  for (const id of ["", "x".repeat(256), "ä".repeat(128), "a\nb", "a\u0085b", "\ud800"]) {
    equal(isNodeId(id), false, id);
  }
});
