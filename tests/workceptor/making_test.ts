/** What is asked about a unit that is still being made. */
import assert from "node:assert/strict";
import { auth, emptyRequest, startWorkceptor, temporaryFolder, unixCaller } from "./_harness.ts";

Deno.test("a release that overtakes the making of its unit releases it", async () => {
  await using folder = await temporaryFolder();
  await using workceptor = await startWorkceptor(folder.path);
  for (const workUnitId of ["early", "late"]) {
    const submitting = workceptor.submit({ ...emptyRequest, workUnitId }, unixCaller);
    // The submit has begun to make its folder.
    if (workUnitId === "late") await submitting;
    else await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(await workceptor.release(workUnitId, { ...auth, force: false }), {
      pending: false,
    });
    const unit = await submitting;
    await assert.rejects(unit.start(), /was released before it could start/);
    await assert.rejects(workceptor.status(workUnitId), /^ControlError: unknown work unit /);
  }
  assert.deepEqual(await workceptor.list(), {});
});
