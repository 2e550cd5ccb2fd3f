/** A daemon in its own process, killed with SIGKILL at random moments. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { completed, readText, startWorkceptor, temporaryFolder } from "../_harness.ts";

const DAEMON = fileURLToPath(new URL("../_daemon.ts", import.meta.url));

Deno.test("whenever the daemon is killed, each unit runs at most once and its end is known", async (t) => {
  for (const jobs of [1, 2, 3, 5, 8]) {
    await t.step(`after ${jobs} jobs`, async () => {
      await using folder = await temporaryFolder();
      const runs = `${folder.path}/runs`;
      const script = `read -r id; echo $id >>'${runs}'; sleep 0.1; echo out of $id`;
      const daemon = new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-check", DAEMON, folder.path, script],
        stdout: "piped",
      }).spawn();
      const ids: string[] = [];
      let text = "";
      for await (const bytes of daemon.stdout) {
        text += new TextDecoder().decode(bytes);
        ids.splice(0, Infinity, ...text.split("\n").slice(0, -1));
        if (ids.length >= jobs) break;
      }
      daemon.kill("SIGKILL");
      await daemon.status;

      await using work = await startWorkceptor(folder.path);
      const list = Object.keys(await work.list());
      const ran: string[] = [];
      for (const id of list) {
        const status = await completed(work, id);
        if (status.StateName === "Succeeded") {
          assert.equal(await readText(work, id), `out of ${id}\n`);
          ran.push(id);
        } else {
          assert.match(status.Detail, /^(Error reading input data|Failed to restart): /);
        }
      }
      for (const id of ids) assert.ok(list.includes(id), `${id} is lost`);
      const lines = (await Deno.readTextFile(runs).catch(() => "")).trim().split("\n");
      assert.deepEqual(lines.filter(Boolean).sort(), ran.sort());
    });
  }
});
