import assert from "node:assert/strict";
import { ReloadError, ReloadErrorCode } from "../../lib/control/reload_error.ts";
import { checkReloadable } from "../../lib/daemon/reload.ts";
import { configOfYaml } from "../config/support.ts";

const BEFORE = `\
- node: {id: foo, datadir: /data}
- control-service: {filename: /run/r.sock, permissions: '0660'}
- tcp-peer: {address: 'a:1', cost: 2}
- work-command: {worktype: w, command: x}
`;

async function reload(after: string): Promise<void> {
  checkReloadable(await configOfYaml(BEFORE), await configOfYaml(after));
}

Deno.test("backends may be added, changed and removed", async () => {
  const fixed = BEFORE.split("\n").filter((line) => !line.includes("tcp-peer")).join("\n");
  await reload(fixed);
  await reload(`${BEFORE}- tcp-listener: {port: 1}\n`);
  await reload(BEFORE.replace("cost: 2", "cost: 3"));
});

Deno.test("the same values written differently are no change", async () => {
  await reload(`\
- tcp-peer:
    cost: 2.0
    address: "a:1"
- work-command:
    command: x
    worktype: "w"
- control-service: {permissions: 0660, filename: /run/r.sock}
- node: {datadir: /data, id: "foo"}
`);
});

for (
  const [what, after, message] of [
    [
      "changed",
      BEFORE.replace("command: x", "command: y"),
      "'work-command' was modified or added. " +
      "Must restart receptor for these changes to take effect",
    ],
    ["added", `${BEFORE}- trace\n`, "'trace' was modified or added"],
    [
      "removed",
      BEFORE.split("\n").filter((line) => !line.includes("work-command")).join("\n"),
      "'work-command' was removed. Must restart receptor for changes to take effect",
    ],
  ] as const
) {
  Deno.test(`an action that needs a restart is refused when it is ${what}`, async () => {
    await assert.rejects(reload(after), (error) => {
      assert(error instanceof ReloadError);
      assert.equal(error.code, ReloadErrorCode.NotReloadable);
      assert(error.message.includes(message), error.message);
      return true;
    });
  });
}
