/** Requests about a unit that is still being created. */
import assert from "node:assert/strict";
import { auth, emptyRequest, startWorkceptor, temporaryFolder, unixCaller } from "./_harness.ts";

Deno.test("a release that overtakes the creation of its unit still releases it", async () => {
  await using folder = await temporaryFolder();
  await using workceptor = await startWorkceptor(folder.path);
  for (const workUnitId of ["early", "late"]) {
    const submitting = workceptor.submit({ ...emptyRequest, workUnitId }, unixCaller);
    // The submission has begun to create its folder.
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
