import assert from "node:assert/strict";
import { parseTcpListen } from "../../lib/daemon/tcp_listen_address.ts";

Deno.test("tcplisten is a port on all addresses, or an address with one", () => {
  assert.deepEqual(parseTcpListen("7323"), { host: "0.0.0.0", port: 7323 });
  assert.deepEqual(parseTcpListen(":7323"), { host: "0.0.0.0", port: 7323 });
  assert.deepEqual(parseTcpListen("127.0.0.1:7323"), { host: "127.0.0.1", port: 7323 });
  assert.deepEqual(parseTcpListen("[::1]:7323"), { host: "::1", port: 7323 });
});

for (const written of ["many", "70000", "localhost", "127.0.0.1:", "1.5"]) {
  Deno.test(`tcplisten is not ${JSON.stringify(written)}`, () => {
    assert.throws(() => parseTcpListen(written), SyntaxError);
  });
}
