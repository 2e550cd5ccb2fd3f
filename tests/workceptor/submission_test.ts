/** Which submissions are accepted, and which kind of unit they create. */
import assert from "node:assert/strict";
import { ControlError } from "../../lib/control/control_error.ts";
import { auth, emptyRequest, startWorkceptor, temporaryFolder, unixCaller } from "./_harness.ts";

Deno.test("a submission for a node that cannot exist is refused", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path);
  for (const node of ["", "a\nb", "n".repeat(256)]) {
    await assert.rejects(work.submit({ ...emptyRequest, node }, unixCaller), (error) => {
      assert.ok(error instanceof ControlError);
      return error.message.startsWith("node must be the id of a node, got ");
    });
  }
  assert.deepEqual(await work.list(), {});
});

Deno.test("this node's id and localhost in any spelling are this node", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path);
  for (const node of ["n1", "localhost", "LocalHost"]) {
    const unit = await work.submit({ ...emptyRequest, node }, unixCaller);
    assert.equal((await work.status(unit.unitId)).WorkType, "sh");
    await unit.abandon("not wanted");
    await work.release(unit.unitId, { ...auth, force: false });
  }
});

Deno.test("the type for other nodes cannot be named on this one", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path);
  await assert.rejects(work.submit({ ...emptyRequest, workType: "remote" }, unixCaller), {
    message: "unknown work type remote",
  });
  assert.deepEqual(work.workTypes().map(({ WorkType }) => WorkType), ["sh", "cat"]);
});
