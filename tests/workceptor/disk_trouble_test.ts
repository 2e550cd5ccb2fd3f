/** How units cope with a disk that is full, refuses, or is cleaned up behind our back. */
import assert from "node:assert/strict";
import type { Workceptor } from "../../lib/workceptor/workceptor.ts";
import {
  auth,
  completed,
  emptyRequest,
  ended,
  eventually,
  fastClock,
  readText,
  running,
  startWorkceptor,
  submit,
  submitScript,
  temporaryFolder,
  unixCaller,
} from "./_harness.ts";

/** A script that runs until the file `<folder>/go` appears. */
const waiting = (folder: string) =>
  `while [ -d '${folder}' ] && [ ! -e '${folder}/go' ]; do sleep 0.02; done`;

for (const [what, path] of [["node's folder", "n1"], ["staging folder", ".n1.staging"]] as const) {
  Deno.test(`units are made, listed and removed after the ${what} was removed`, async () => {
    await using folder = await temporaryFolder();
    await using work = await startWorkceptor(folder.path);
    const remove = () => Deno.remove(`${folder.path}/${path}`, { recursive: true });
    await remove();
    assert.deepEqual(await work.list(), {});
    for (const payload of ["x", "y", "z"]) {
      const id = await submit(work, { workType: "cat" }, payload);
      assert.equal(await readText(work, id), payload);
      await remove();
    }
    for (const unit of Object.keys(await work.list())) {
      await work.release(unit, { ...auth, force: false });
    }
    assert.deepEqual(await work.list(), {});
  });
}

Deno.test("everything is created again after the whole data folder was removed", async () => {
  await using folder = await temporaryFolder();
  const dataDir = `${folder.path}/data`;
  await using work = await startWorkceptor(dataDir);
  const id = await submitScript(work, waiting(folder.path));
  await running(work, id);
  await Deno.remove(dataDir, { recursive: true });
  assert.deepEqual(Object.keys(await work.list()), [id]);
  assert.equal(await readText(work, await submit(work, { workType: "cat" }, "x")), "x");
  await Deno.writeTextFile(`${folder.path}/go`, "");
  assert.equal((await ended(work, id)).StateName, "Succeeded");
  await work.release(id, { ...auth, force: false });
});

Deno.test("a payload whose folder is removed never runs as an empty one", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path);
  const unit = await work.submit({ ...emptyRequest, workType: "cat" }, unixCaller);
  await unit.writePayload(new TextEncoder().encode("x"));
  await Deno.remove(`${folder.path}/n1`, { recursive: true });
  await unit.start();
  assert.equal((await ended(work, unit.unitId)).StateName, "Failed");
});

Deno.test("an outcome that the disk refused is written once the disk accepts it", async () => {
  await using folder = await temporaryFolder();
  let id, status;
  {
    await using work = await startWorkceptor(folder.path, { parts: { clock: fastClock(20) } });
    id = await submitScript(work, waiting(folder.path));
    await running(work, id);
    const obstacle = `${folder.path}/n1/${id}/status.new`;
    await Deno.mkdir(obstacle);
    await Deno.writeTextFile(`${folder.path}/go`, "");
    status = await ended(work, id);
    assert.equal(status.StateName, "Succeeded");
    const onDisk = () => Deno.readTextFile(`${folder.path}/n1/${id}/status`);
    assert.match(await onDisk(), /"State":1,/);
    await Deno.remove(obstacle);
    await eventually(async () => (await onDisk()).includes('"State":2,'));
  }
  await using work = await startWorkceptor(folder.path);
  assert.deepEqual(await work.status(id), status);
});

Deno.test("an outcome that the disk refused is written at the latest when the node stops", async () => {
  await using folder = await temporaryFolder();
  let id;
  {
    await using work = await startWorkceptor(folder.path);
    id = await submitScript(work, waiting(folder.path));
    await running(work, id);
    await Deno.mkdir(`${folder.path}/n1/${id}/status.new`);
    await Deno.writeTextFile(`${folder.path}/go`, "");
    await ended(work, id);
    await Deno.remove(`${folder.path}/n1/${id}/status.new`);
  }
  assert.match(await Deno.readTextFile(`${folder.path}/n1/${id}/status`), /"State":2,/);
});

/** A small file system of its own; `undefined` where this user may not mount one. */
async function smallDisk(): Promise<AsyncDisposable & { path: string } | undefined> {
  const path = await Deno.makeTempDir({ prefix: "small-disk-" });
  const run = async (command: string, ...args: string[]) =>
    (await new Deno.Command(command, { args, stderr: "null" }).output()).success;
  const mounted = Deno.build.os === "linux" &&
    await run("mount", "-t", "tmpfs", "-o", "size=256k,mode=700", "none", path).catch(() => false);
  if (!mounted) await Deno.remove(path);
  return mounted
    ? {
      path,
      [Symbol.asyncDispose]: async () => {
        await run("umount", "-l", path);
        await Deno.remove(path);
      },
    }
    : undefined;
}

/** Writes a file until nothing more goes in. */
async function fill(path: string): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true });
  for (let size = 65_536; size > 0; size >>= 1) {
    try {
      while (true) await file.write(new Uint8Array(size));
    } catch {
      // Less may still go in.
    }
  }
}

const mountable = await (async () => {
  await using disk = await smallDisk();
  return disk !== undefined;
})();
const skipped = mountable ? "" : " (skipped: this user may not mount a file system)";

Deno.test({
  name: `an outcome stays the same on a full disk, through a restart${skipped}`,
  ignore: !mountable,
  async fn() {
    await using folder = await temporaryFolder();
    await using disk = (await smallDisk())!;
    const restart = async (work: Workceptor) => {
      await work[Symbol.asyncDispose]();
      return await startWorkceptor(disk.path);
    };
    let work = await startWorkceptor(disk.path);
    try {
      const id = await submitScript(work, waiting(folder.path));
      await running(work, id);
      await fill(`${disk.path}/filler`);
      await Deno.writeTextFile(`${folder.path}/go`, "");
      const status = await ended(work, id);
      assert.equal(status.Detail, "exit status 0");
      await assert.rejects(submit(work, { workType: "cat" }, "x"), /No space left/);
      work = await restart(work);
      assert.deepEqual(await work.status(id), status);
      await Deno.remove(`${disk.path}/filler`);
      work = await restart(work);
      assert.deepEqual(await work.list(), { [id]: status });
      assert.equal(await readText(work, await submit(work, { workType: "cat" }, "x")), "x");
    } finally {
      await work[Symbol.asyncDispose]();
    }
  },
});

Deno.test({
  name: `a unit is released from a full disk, which makes room${skipped}`,
  ignore: !mountable,
  async fn() {
    await using disk = (await smallDisk())!;
    await using work = await startWorkceptor(disk.path);
    const id = await submit(work, { workType: "cat" }, new Uint8Array(60_000));
    await completed(work, id);
    await fill(`${disk.path}/filler`);
    await work.release(id, { ...auth, force: false });
    await completed(work, await submit(work, { workType: "cat" }, "x"));
  },
});
