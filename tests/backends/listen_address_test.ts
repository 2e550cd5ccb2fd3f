import { deepEqual } from "node:assert/strict";
import { listenAddresses } from "../../lib/backends/listen_address.ts";

for (const all of ["", "0.0.0.0", "::", "[::]"]) {
  Deno.test(`"${all}" stands for all addresses of both families`, () => {
    deepEqual(listenAddresses(all, () => true), ["::", "0.0.0.0"]);
    deepEqual(listenAddresses(all, () => false), ["0.0.0.0"]);
  });
}

Deno.test("any other address is bound as it is", () => {
  for (const bothFamilies of [true, false]) {
    deepEqual(listenAddresses("127.0.0.1", () => bothFamilies), ["127.0.0.1"]);
    deepEqual(listenAddresses("[::1]", () => bothFamilies), ["::1"]);
    deepEqual(listenAddresses("node.example", () => bothFamilies), ["node.example"]);
  }
});
