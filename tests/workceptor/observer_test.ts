/** What an observer is told about units. */
import assert from "node:assert/strict";
import { type Log, silentLog } from "../../lib/base/log.ts";
import type { UnitChangedEvent, UnitEvent } from "../../lib/workceptor/observer.ts";
import {
  auth,
  completed,
  emptyRequest,
  startWorkceptor,
  submit,
  temporaryFolder,
  unixCaller,
} from "./_harness.ts";

class Recorder {
  readonly changed: UnitChangedEvent[] = [];
  readonly removed: UnitEvent[] = [];
  unitChanged(event: UnitChangedEvent): void {
    this.changed.push(event);
  }
  unitRemoved(event: UnitEvent): void {
    this.removed.push(event);
  }
  /** State numbers before and after of each change of state. */
  get states(): [number | undefined, number][] {
    return this.changed.filter(({ before, state }) => before !== state)
      .map(({ before, state }) => [before, state]);
  }
}

Deno.test("an observer sees a unit from its creation to its removal", async () => {
  await using folder = await temporaryFolder();
  const observer = new Recorder();
  await using work = await startWorkceptor(folder.path, { parts: { observer } });
  const id = await submit(work, { workType: "cat" }, "x");
  await completed(work, id);
  const states = observer.states.map(([before, state]) => `${before}-${state}`).join(" ");
  // A very quick job is never seen running.
  assert.match(states, /^undefined-0 (0-1 1-2|0-2)$/);
  assert.ok(observer.changed.every((event) => event.id === id && event.workType === "cat"));
  assert.equal(observer.changed.at(-1)!.detail, "exit status 0");
  await work.release(id, { ...auth, force: false });
  assert.deepEqual(observer.removed, [
    { id, workType: "cat", state: 2, detail: "exit status 0", remoteNode: undefined },
  ]);
});

Deno.test("an observer sees units found on disk once, and those that vanish from it", async () => {
  await using folder = await temporaryFolder();
  let id: string;
  {
    await using work = await startWorkceptor(folder.path);
    id = await submit(work, { workType: "cat" }, "x");
    await completed(work, id);
  }
  await Deno.mkdir(`${folder.path}/n1/broken`);
  const observer = new Recorder();
  await using work = await startWorkceptor(folder.path, { parts: { observer } });
  for (let i = 0; i < 3; i++) await work.list();
  const found = observer.changed.map(({ id, before, state }) => ({ id, before, state }));
  const order = (one: { id: string }, other: { id: string }) => one.id < other.id ? -1 : 1;
  assert.deepEqual(
    found.sort(order),
    [{ id, before: undefined, state: 2 }, { id: "broken", before: undefined, state: 3 }]
      .sort(order),
  );
  await Deno.remove(`${folder.path}/n1/${id}`, { recursive: true });
  await Deno.remove(`${folder.path}/n1/broken`);
  await work.list();
  assert.deepEqual(observer.removed.map(({ id }) => id).sort(), [id, "broken"].sort());
});

Deno.test("an observer is told the node of a unit that runs on another one", async () => {
  await using folder = await temporaryFolder();
  const observer = new Recorder();
  await using work = await startWorkceptor(folder.path, { parts: { observer } });
  const unit = await work.submit({ ...emptyRequest, node: "n2" }, unixCaller);
  await unit.abandon("not wanted");
  await work.release(unit.unitId, { ...auth, force: true });
  assert.deepEqual(observer.changed.map(({ remoteNode }) => remoteNode), ["n2", "n2"]);
  assert.equal(observer.removed[0]!.remoteNode, "n2");
});

Deno.test("an observer that throws breaks nothing, and the log has it", async () => {
  await using folder = await temporaryFolder();
  const errors: string[] = [];
  const log: Log = { ...silentLog, error: (message) => void errors.push(message) };
  const fail = () => {
    throw new Error("metrics are broken");
  };
  const observer = { unitChanged: fail, unitRemoved: fail };
  await using work = await startWorkceptor(folder.path, { parts: { observer }, log });
  const id = await submit(work, { workType: "cat" }, "x");
  assert.equal((await completed(work, id)).StateName, "Succeeded");
  await work.release(id, { ...auth, force: false });
  assert.deepEqual(await work.list(), {});
  assert.ok(errors.length >= 3);
  assert.ok(errors.every((error) => error.includes("metrics are broken")), errors.join("\n"));
});
