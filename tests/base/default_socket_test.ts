import assert from "node:assert/strict";
import { defaultSocketPaths } from "../../lib/base/default_socket.ts";

const paths = (environment: Record<string, string>) =>
  defaultSocketPaths((name) => environment[name]);

Deno.test("default socket is systemd's folder, then the user's, then /tmp", () => {
  assert.deepEqual(paths({ RUNTIME_DIRECTORY: "/run/receptor", XDG_RUNTIME_DIR: "/run/user/1" }), [
    "/run/receptor/receptor.sock",
    "/run/user/1/receptor.sock",
    "/tmp/receptor.sock",
  ]);
  assert.deepEqual(paths({ XDG_RUNTIME_DIR: "" }), ["/tmp/receptor.sock"]);
});

Deno.test("default socket takes the first of several runtime directories", () => {
  assert.equal(paths({ RUNTIME_DIRECTORY: "/run/a:/run/b" })[0], "/run/a/receptor.sock");
});
