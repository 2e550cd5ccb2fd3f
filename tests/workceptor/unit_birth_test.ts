/**
 * A unit is seen complete or not at all: while it is created, while it is removed, and after a
 * crash.
 */
import assert from "node:assert/strict";
import { ControlError } from "../../lib/control/control_error.ts";
import type { UnitStatus } from "../../lib/control/work_service.ts";
import type { Workceptor } from "../../lib/workceptor/workceptor.ts";
import {
  auth,
  completed,
  emptyRequest,
  startWorkceptor,
  submit,
  temporaryFolder,
  unixCaller,
} from "./_harness.ts";

const failures = (list: Record<string, UnitStatus>) =>
  Object.values(list).filter(({ StateName }) => StateName === "Failed");

/** Keeps listing until `done`, and resolves to the units that were ever shown as failed. */
async function watchList(work: Workceptor, done: AbortSignal): Promise<UnitStatus[]> {
  const failed: UnitStatus[] = [];
  while (!done.aborted) failed.push(...failures(await work.list()));
  return failed;
}

async function beside<T>(work: Workceptor, action: () => Promise<T>): Promise<UnitStatus[]> {
  const done = new AbortController();
  const watches = [1, 2, 3].map(() => watchList(work, done.signal));
  try {
    await action();
  } finally {
    done.abort();
  }
  return (await Promise.all(watches)).flat();
}

Deno.test("no list during submissions shows an incomplete unit", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path);
  const seen = await beside(work, async () => {
    for (let round = 0; round < 10; round++) {
      await Promise.all([1, 2, 3, 4].map(() => submit(work, { workType: "cat" }, "x")));
    }
  });
  for (const id of Object.keys(await work.list())) await completed(work, id);
  assert.deepEqual(seen, []);
});

Deno.test("no list during releases shows an incomplete unit", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path);
  const ids: string[] = [];
  for (let i = 0; i < 40; i++) ids.push(await submit(work, { workType: "cat" }, "x"));
  for (const id of ids) await completed(work, id);
  // Many files, so that a removal takes some time.
  for (const id of ids) {
    for (let i = 0; i < 50; i++) await Deno.writeTextFile(`${folder.path}/n1/${id}/file${i}`, "");
  }
  const seen = await beside(work, async () => {
    for (const id of ids) await work.release(id, { ...auth, force: false });
  });
  assert.deepEqual(seen, []);
  assert.deepEqual(await work.list(), {});
});

Deno.test("nobody finds a unit on disk before its status is there", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path);
  const done = new AbortController();
  const bare: string[] = [];
  const exists = (path: string) => {
    try {
      return Deno.statSync(path) !== undefined;
    } catch {
      return false;
    }
  };
  const look = async () => {
    while (!done.signal.aborted) {
      await new Promise((resolve) => setTimeout(resolve));
      for (const { name } of Deno.readDirSync(`${folder.path}/n1`)) {
        const unit = `${folder.path}/n1/${name}`;
        // A folder that is gone as well has been released since it was listed.
        if (!exists(`${unit}/status`) && exists(unit)) bare.push(name);
      }
    }
  };
  const looking = look();
  for (let i = 0; i < 40; i++) {
    const id = await submit(work, { workType: "cat" }, "x");
    await completed(work, id);
    await work.release(id, { ...auth, force: false });
  }
  done.abort();
  await looking;
  assert.deepEqual(bare, []);
});

Deno.test("of submissions that want the same id only one gets it, whatever is in its place", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path);
  const request = { ...emptyRequest, workType: "cat", workUnitId: "wanted" };
  const inUse = /^workunit ID \w+ is already in use/;
  const claims = await Promise.allSettled(
    Array.from({ length: 10 }, () => work.submit(request, unixCaller)),
  );
  const [won, ...others] = claims.filter(({ status }) => status === "fulfilled");
  assert.ok(won?.status === "fulfilled" && others.length === 0);
  for (const claim of claims) {
    if (claim.status === "fulfilled") continue;
    assert.ok(claim.reason instanceof ControlError);
    assert.match(claim.reason.message, inUse);
  }
  await won.value.start();
  await completed(work, "wanted");
  await Deno.mkdir(`${folder.path}/n1/empty`);
  await Deno.writeTextFile(`${folder.path}/n1/file`, "");
  for (const workUnitId of ["wanted", "empty", "file"]) {
    await assert.rejects(work.submit({ ...request, workUnitId }, unixCaller), { message: inUse });
  }
  assert.deepEqual(await Array.fromAsync(Deno.readDir(`${folder.path}/n1/empty`)), []);
  await work.release("wanted", { ...auth, force: false });
  await completed(work, await submit(work, request, "again"));
});

Deno.test("what a crash left of creations and removals is gone after the next start", async () => {
  await using folder = await temporaryFolder();
  {
    await using _work = await startWorkceptor(folder.path);
  }
  const staging = `${folder.path}/.n1.staging`;
  await Deno.mkdir(`${staging}/1.1`);
  await Deno.writeTextFile(`${staging}/1.1/status`, "{");
  await Deno.mkdir(`${staging}/1.2`);
  await Deno.writeTextFile(`${staging}/stray`, "");
  await using work = await startWorkceptor(folder.path);
  assert.deepEqual(await Array.fromAsync(Deno.readDir(staging)), []);
  assert.deepEqual(await work.list(), {});
});

Deno.test("a creation that the disk refuses leaves no unit and no file", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path);
  const staging = `${folder.path}/.n1.staging`;
  await Deno.remove(staging, { recursive: true });
  await Deno.writeTextFile(staging, "in the way");
  await assert.rejects(submit(work, { workType: "cat", workUnitId: "wanted" }));
  assert.deepEqual(await work.list(), {});
  assert.deepEqual(await Array.fromAsync(Deno.readDir(`${folder.path}/n1`)), []);
  await Deno.remove(staging);
  await completed(work, await submit(work, { workType: "cat", workUnitId: "wanted" }, "x"));
  assert.deepEqual(await Array.fromAsync(Deno.readDir(staging)), []);
});
