import assert from "node:assert/strict";
import { defaultSocketPaths } from "../../lib/base/default_socket.ts";

const paths = (environment: Record<string, string>) =>
  defaultSocketPaths((name) => environment[name], 1000);

Deno.test("default socket is systemd's folder, then the user's, then one in /tmp", () => {
  assert.deepEqual(paths({ RUNTIME_DIRECTORY: "/run/receptor", XDG_RUNTIME_DIR: "/run/user/1" }), [
    "/run/receptor/receptor.sock",
    "/run/user/1/receptor.sock",
    "/tmp/receptor-1000/receptor.sock",
  ]);
  assert.deepEqual(paths({ XDG_RUNTIME_DIR: "" }), ["/tmp/receptor-1000/receptor.sock"]);
});

Deno.test("default socket takes the first of several runtime directories", () => {
  assert.equal(paths({ RUNTIME_DIRECTORY: "/run/a:/run/b" })[0], "/run/a/receptor.sock");
});
