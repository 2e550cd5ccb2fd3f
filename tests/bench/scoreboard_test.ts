/** The scoreboard itself, with two cheap rows, so that it cannot rot. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { RowReport } from "../../bench/report.ts";
import { folderOf } from "../support/peers.ts";

const RUN = fileURLToPath(new URL("../../bench/run.ts", import.meta.url));

async function bench(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", RUN, ...args],
    stdin: "null",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

const missing = folderOf("RECEPTOR_PEERS") === undefined;

Deno.test({
  name: `the scoreboard measures both daemons${
    missing ? " (skipped: RECEPTOR_PEERS not set)" : ""
  }`,
  ignore: missing,
  async fn() {
    const { code, stdout, stderr } = await bench("--quick", "--only=ping-idle,start", "--json");
    assert.equal(code, 0, stderr);
    const board = JSON.parse(stdout);
    assert.equal(board.quick, true);
    assert.match(board.machine.daemons.go, /^1\.6\./);
    const rows: RowReport[] = board.rows;
    assert.deepEqual(rows.map(({ name }) => name), ["ping-idle", "start"]);
    for (const { figures, errors } of rows) {
      assert.deepEqual(errors, {});
      for (const { key, ours, go, ratio } of figures) {
        assert.ok(ours && go && ratio, `${key} has a value for both daemons`);
        assert.ok(ours.median > 0 && go.median > 0, `${key} is above zero`);
      }
    }
    assert.ok(rows[1]!.figures[0]!.limits["empty Deno program"]);
  },
});

Deno.test("the scoreboard knows its rows, and says which there are", async () => {
  const list = await bench("--list");
  const names = list.stdout.trim().split("\n").map((line) => line.split(" ")[0]!);
  assert.equal(new Set(names).size, names.length);
  const { code, stderr } = await bench("--only=remote-ecco");
  assert.equal(code, 2);
  assert.match(stderr, /There is no row remote-ecco; the rows are remote-echo, /);
});
