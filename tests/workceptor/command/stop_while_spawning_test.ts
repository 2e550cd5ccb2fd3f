/** What is asked of a unit at the very moment when its job is being started. */
import assert from "node:assert/strict";
import type { PendingUnit } from "../../../lib/control/work_service.ts";
import { denoSpawner, type Spawner } from "../../../lib/workceptor/command/spawner.ts";
import type { Workceptor } from "../../../lib/workceptor/workceptor.ts";
import {
  auth,
  commandType,
  emptyRequest,
  ended,
  eventually,
  processEnd,
  quoted,
  shellType,
  startWorkceptor,
  temporaryFolder,
  unixCaller,
} from "../_harness.ts";

/** Starts nothing before it is told to. */
class HeldSpawner implements Spawner {
  readonly #asked = Promise.withResolvers<void>();
  readonly #told = Promise.withResolvers<void>();
  readonly #pid = Promise.withResolvers<number>();

  /** Resolves when a job is to be started. */
  get asked(): Promise<void> {
    return this.#asked.promise;
  }

  /** Of the shell that was started. */
  get pid(): Promise<number> {
    return this.#pid.promise;
  }

  goOn(): void {
    this.#told.resolve();
  }

  async spawn(...args: Parameters<Spawner["spawn"]>) {
    this.#asked.resolve();
    await this.#told.promise;
    const shell = await denoSpawner.spawn(...args);
    this.#pid.resolve(shell.pid);
    return shell;
  }
}

/** A unit whose job would run for long, and is about to be started. */
async function startingUnit(work: Workceptor, spawner: HeldSpawner): Promise<PendingUnit> {
  work.registerWorkType("held", commandType(shellType, spawner));
  const params = { params: quoted("exec sleep 1000") };
  return await work.submit({ ...emptyRequest, workType: "held", params }, unixCaller);
}

for (const when of ["before the spawn", "during the spawn"]) {
  for (const wish of ["cancel", "release", "forced release"] as const) {
    Deno.test(`a ${wish} that comes ${when} is carried out`, async () => {
      await using folder = await temporaryFolder();
      await using work = await startWorkceptor(folder.path);
      const spawner = new HeldSpawner();
      const unit = await startingUnit(work, spawner);
      const starting = unit.start().catch((error: Error) => error);
      if (when === "during the spawn") await spawner.asked;
      const asked = wish === "cancel"
        ? work.cancel(unit.unitId, auth)
        : work.release(unit.unitId, { ...auth, force: wish === "forced release" });
      spawner.goOn();
      await asked;
      if (await starting === "Job Started") await processEnd(await spawner.pid);
      if (wish === "cancel") {
        assert.equal((await ended(work, unit.unitId)).StateName, "Canceled");
      } else {
        await eventually(async () => Object.keys(await work.list()).length === 0, "no unit");
      }
    });
  }
}

Deno.test("a node that stops while a job is being started leaves it to the next one", async () => {
  await using folder = await temporaryFolder();
  const spawner = new HeldSpawner();
  let unit: PendingUnit;
  {
    await using work = await startWorkceptor(folder.path);
    unit = await startingUnit(work, spawner);
    const starting = unit.start();
    await spawner.asked;
    const stopped = work[Symbol.asyncDispose]();
    spawner.goOn();
    assert.equal(await starting, "Job Started");
    await stopped;
  }
  await using work = await startWorkceptor(folder.path);
  await eventually(async () => (await work.status(unit.unitId)).StateName === "Running", "its job");
  await work.cancel(unit.unitId, auth);
  assert.equal((await ended(work, unit.unitId)).StateName, "Canceled");
  await processEnd(await spawner.pid);
});
