/** What a daemon finds in its data folder: jobs of an earlier one, and whatever else is there. */
import assert from "node:assert/strict";
import { StoreInUseError } from "../../lib/workceptor/unit_store.ts";
import {
  auth,
  commandType,
  completed,
  eventually,
  fastClock,
  pidIn,
  processEnd,
  readAll,
  readText,
  running,
  shellType,
  startWorkceptor,
  submit,
  submitScript,
  temporaryFolder,
} from "./_harness.ts";
import { emptyRequest, unixCaller } from "./_harness.ts";

/** A script that counts its runs in `<folder>/runs` and ends when `<folder>/go` appears. */
const waiting = (folder: string, rest = "") =>
  `echo run >>'${folder}/runs'; echo begin; ` +
  `while [ -d '${folder}' ] && [ ! -e '${folder}/go' ]; do sleep 0.05; done; echo end; ${rest}`;

const go = (folder: string) => Deno.writeTextFile(`${folder}/go`, "");
const runs = async (folder: string) => (await Deno.readTextFile(`${folder}/runs`)).length / 4;

/** Writes a unit as it might be found there. */
async function putUnit(
  dataDir: string,
  id: string,
  files: Record<string, string>,
): Promise<string> {
  const path = `${dataDir}/n1/${id}`;
  await Deno.mkdir(path, { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    await Deno.writeTextFile(`${path}/${name}`, text);
  }
  return path;
}

const statusLine = (members: Record<string, unknown>) =>
  JSON.stringify({
    State: 1,
    Detail: "Running: PID 3",
    StdoutSize: 0,
    WorkType: "sh",
    ExtraData: null,
    ...members,
  }) + "\n";

Deno.test("a running job is followed by the next daemon, and runs once", async () => {
  await using folder = await temporaryFolder();
  const { path } = folder;
  let id, before;
  {
    await using work = await startWorkceptor(path);
    id = await submitScript(work, waiting(path, "exit 4"));
    before = await running(work, id);
    await eventually(async () => (await work.status(id!)).StdoutSize > 0);
  }
  await using work = await startWorkceptor(path);
  assert.deepEqual(await work.status(id), before);
  const results = readText(work, id);
  await go(path);
  assert.equal(await results, "begin\nend\n");
  const status = await work.status(id);
  assert.equal(status.Detail, "exit status 4");
  assert.equal(status.ExtraData, null);
  assert.equal(await runs(path), 1);
});

Deno.test("a job that ended without a daemon is reported by the next one", async () => {
  await using folder = await temporaryFolder();
  const { path } = folder;
  const ids: string[] = [];
  const pids: number[] = [];
  {
    await using work = await startWorkceptor(path);
    for (const rest of ["exit 0", "exit 9", "kill -9 $$"]) {
      const id = await submitScript(work, waiting(path, rest));
      pids.push(((await running(work, id)).ExtraData as { Pid: number }).Pid);
      ids.push(id);
    }
  }
  await go(path);
  for (const pid of pids) await processEnd(pid);
  await using work = await startWorkceptor(path);
  const details = await Promise.all(ids.map(async (id) => (await completed(work, id)).Detail));
  assert.deepEqual(details, ["exit status 0", "exit status 9", "signal: killed"]);
  assert.equal(await readText(work, ids[0]!), "begin\nend\n");
});

Deno.test("a daemon that ends right after the start loses nothing", async () => {
  await using folder = await temporaryFolder();
  const { path } = folder;
  let id;
  {
    await using work = await startWorkceptor(path);
    id = await submitScript(work, waiting(path));
    // The command may not even be there yet; the status on disk says Pending.
  }
  await using work = await startWorkceptor(path);
  await go(path);
  assert.equal((await completed(work, id)).Detail, "exit status 0");
  assert.equal(await readText(work, id), "begin\nend\n");
  assert.equal(await runs(path), 1);
});

Deno.test("a job that died with its machine fails with the cause", async () => {
  await using folder = await temporaryFolder();
  const { path } = folder;
  let id, pid;
  {
    await using work = await startWorkceptor(path);
    id = await submitScript(work, waiting(path));
    const status = await running(work, id);
    await eventually(async () => (await work.status(id!)).StdoutSize > 0);
    pid = pidIn(status);
    const supervisor = (status.ExtraData as { Pid: number }).Pid;
    Deno.kill(-supervisor, "SIGKILL");
    await work[Symbol.asyncDispose]();
    await processEnd(supervisor);
  }
  await processEnd(pid);
  const file = `${path}/n1/${id}/supervisor`;
  const lines = (await Deno.readTextFile(file)).split("\n");
  lines[0] = "00000000-0000-0000-0000-000000000000";
  await Deno.writeTextFile(file, lines.join("\n"));
  await Deno.writeTextFile(
    `${path}/n1/${id}/status`,
    statusLine({ ExtraData: { Pid: 3, Params: "" } }),
  );
  await using work = await startWorkceptor(path);
  const status = await completed(work, id);
  assert.equal(status.StateName, "Failed");
  assert.equal(status.Detail, "Job lost: the machine restarted while it was running");
  assert.equal(await readText(work, id), "begin\n");
});

Deno.test("a supervisor killed without a daemon fails the unit and leaves no process", async () => {
  await using folder = await temporaryFolder();
  const { path } = folder;
  let id, pid, supervisor;
  {
    await using work = await startWorkceptor(path);
    id = await submitScript(work, waiting(path));
    const status = await running(work, id);
    pid = pidIn(status);
    supervisor = (status.ExtraData as { Pid: number }).Pid;
  }
  Deno.kill(supervisor, "SIGKILL");
  await processEnd(supervisor);
  await using work = await startWorkceptor(path);
  const status = await completed(work, id);
  assert.match(status.Detail, /^Job lost: its supervisor \(PID \d+\) ended/);
  await processEnd(pid);
});

Deno.test("a pid that now belongs to another process is neither believed nor signalled", async () => {
  await using folder = await temporaryFolder();
  const { path } = folder;
  const bystander = new Deno.Command("sleep", { args: ["100"], detached: true, stdin: "null" })
    .spawn();
  const stat = (await Deno.readTextFile(`/proc/${bystander.pid}/stat`)).trim().split(" ");
  stat[21] = "1";
  const boot = (await Deno.readTextFile("/proc/sys/kernel/random/boot_id")).trim();
  await putUnit(path, "old", {
    status: statusLine({}),
    stdout: "",
    supervisor: `${boot}\n${stat.join(" ")}\n${stat.join(" ")}\n`,
  });
  await putUnit(path, "go", {
    status: statusLine({ ExtraData: { Pid: bystander.pid } }),
    stdout: "",
  });
  {
    await using work = await startWorkceptor(path);
    for (const id of ["old", "go"]) {
      assert.match((await completed(work, id)).Detail, /^Job lost: /);
      await work.cancel(id, auth);
      await work.release(id, { ...auth, force: true });
    }
  }
  bystander.kill("SIGKILL");
  assert.equal((await bystander.status).signal, "SIGKILL");
});

Deno.test("a unit that had not started fails, and a late supervisor runs nothing", async () => {
  await using folder = await temporaryFolder();
  const { path } = folder;
  await putUnit(path, "pending", {
    status: statusLine({ State: 0, Detail: "Starting Worker", ExtraData: { Pid: 0, Params: "" } }),
    stdin: "",
  });
  let cut;
  {
    await using work = await startWorkceptor(path);
    const unit = await work.submit({ ...emptyRequest, workType: "cat" }, unixCaller);
    await unit.writePayload(new Uint8Array(3));
    cut = unit.unitId;
  }
  await using work = await startWorkceptor(path);
  assert.equal((await work.status("pending")).Detail, "Pending at restart");
  assert.equal((await work.status("pending")).StateName, "Failed");
  assert.equal(
    (await work.status(cut)).Detail,
    "Error reading input data: the node restarted before the job was started",
  );
});

Deno.test("a requested cancel is carried out by the next daemon", async () => {
  await using folder = await temporaryFolder();
  const { path } = folder;
  const clock = fastClock(10);
  let id, status;
  {
    await using work = await startWorkceptor(path, { parts: { clock } });
    id = await submitScript(work, "trap '' INT; echo hi; while :; do sleep 1; done");
    status = await running(work, id);
    await eventually(async () => (await work.status(id!)).StdoutSize > 0);
    await work.cancel(id, auth);
  }
  await using work = await startWorkceptor(path, { parts: { clock } });
  assert.equal((await work.status(id)).StateName, "Running");
  assert.equal((await completed(work, id)).StateName, "Canceled");
  await processEnd(pidIn(status));
});

Deno.test("a pending release is carried out by the next daemon", async () => {
  await using folder = await temporaryFolder();
  const { path } = folder;
  const clock = fastClock(10);
  let id, status;
  {
    await using work = await startWorkceptor(path, { parts: { clock } });
    id = await submitScript(work, "trap '' INT; echo hi; while :; do sleep 1; done");
    status = await running(work, id);
    await eventually(async () => (await work.status(id!)).StdoutSize > 0);
    assert.deepEqual(await work.release(id, { ...auth, force: false }), { pending: true });
  }
  await using work = await startWorkceptor(path, { parts: { clock } });
  await eventually(async () => Object.keys(await work.list()).length === 0);
  await processEnd(pidIn(status));
});

Deno.test("a damaged status file makes a failed unit, and loses nothing", async (t) => {
  await using folder = await temporaryFolder();
  const { path } = folder;
  const cases: [string, string][] = [
    ["", "Failed to restart: unexpected end of JSON input"],
    ["\n", "Failed to restart: unexpected end of JSON input"],
    ['{"State":1,"Detail":"Run', "Failed to restart: "],
    ["\0\0\0\0", "Failed to restart: "],
    ["[]", "Failed to restart: status is not a JSON object"],
    ["null", "Failed to restart: status is not a JSON object"],
    ['{"State":7}', "Failed to restart: State must be a number from 0 to 4, got 7"],
    ['{"State":1.5}', "Failed to restart: State must be a number from 0 to 4, got 1.5"],
    ['{"Detail":3}', "Failed to restart: Detail must be a string, got 3"],
  ];
  for (const [i, [status]] of cases.entries()) {
    await putUnit(path, `broken${i}`, { status, stdout: "precious" });
  }
  await using work = await startWorkceptor(path);
  for (const [i, [text, detail]] of cases.entries()) {
    await t.step(JSON.stringify(text), async () => {
      const id = `broken${i}`;
      const status = await work.status(id);
      assert.ok(status.Detail.startsWith(detail), status.Detail);
      assert.equal(status.StateName, "Failed");
      assert.equal(status.ExtraData, "Unknown WorkType");
      assert.equal(await readText(work, id), "precious");
      assert.deepEqual(await work.cancel(id, auth), { pending: false });
      assert.equal(await Deno.readTextFile(`${path}/n1/${id}/status`), text);
      await work.release(id, { ...auth, force: false });
      await assert.rejects(Deno.stat(`${path}/n1/${id}`), Deno.errors.NotFound);
    });
  }
});

Deno.test("malformed ExtraData of known work types does no harm", async () => {
  await using folder = await temporaryFolder();
  const { path } = folder;
  const odd = [null, 3, "x", [], { Pid: "3" }, { Pid: -1 }, { Pid: 1e300, Params: {} }];
  for (const [i, ExtraData] of odd.entries()) {
    for (const WorkType of ["sh", "remote"]) {
      await putUnit(path, `${WorkType}${i}`, { status: statusLine({ ExtraData, WorkType }) });
    }
  }
  await using work = await startWorkceptor(path);
  const list = await work.list();
  assert.equal(Object.keys(list).length, 2 * odd.length);
  for (const id of Object.keys(list)) await work.release(id, { ...auth, force: true });
  assert.deepEqual(await work.list(), {});
});

Deno.test("a folder without a status is a failed unit until it has one", async () => {
  await using folder = await temporaryFolder();
  const { path } = folder;
  await using work = await startWorkceptor(path);
  const unit = await putUnit(path, "half", {});
  assert.equal(
    (await work.status("half")).Detail,
    "Failed to restart: the unit has no status file",
  );
  await Deno.writeTextFile(`${unit}/stdout`, "hi");
  await Deno.writeTextFile(`${unit}/status`, statusLine({ State: 2, StdoutSize: 2, Detail: "ok" }));
  assert.equal((await work.list()).half!.StateName, "Succeeded");
  assert.equal(await readText(work, "half"), "hi");
});

Deno.test("a unit of an unknown work type is shown as it was left", async () => {
  await using folder = await temporaryFolder();
  const { path } = folder;
  const status = statusLine({
    WorkType: "zork",
    StdoutSize: 3,
    ExtraData: { Pid: 9, Params: "x" },
  });
  await putUnit(path, "unknown", { status, stdout: "abc" });
  await using work = await startWorkceptor(path);
  assert.deepEqual(await work.status("unknown"), {
    Detail: "Running: PID 3",
    ExtraData: "Unknown WorkType",
    State: 1,
    StateName: "Running",
    StdoutSize: 3,
    WorkType: "zork",
  });
  assert.deepEqual(await work.cancel("unknown", auth), { pending: false });
  assert.equal(await Deno.readTextFile(`${path}/n1/unknown/status`), status);
  work.registerWorkType("zork", commandType(shellType));
  const known = await eventually(async () => {
    const now = await work.status("unknown");
    return now.State === 3 ? now : undefined;
  });
  assert.match(known.Detail, /^Job lost: /);
  await putUnit(path, "unknown2", { status: statusLine({ WorkType: "other" }) });
  assert.deepEqual(await work.release("unknown2", { ...auth, force: false }), { pending: false });
});

Deno.test("a job of a work type that is no longer configured is still followed", async () => {
  await using folder = await temporaryFolder();
  const { path } = folder;
  let id;
  {
    await using work = await startWorkceptor(path);
    id = await submitScript(work, waiting(path));
    await running(work, id);
  }
  await using work = await startWorkceptor(path, { types: {} });
  assert.equal((await work.status(id)).ExtraData, "Unknown WorkType");
  await go(path);
  assert.equal((await completed(work, id)).StateName, "Succeeded");
});

Deno.test("units copied into the data folder by hand are found by every command", async () => {
  await using folder = await temporaryFolder();
  await using other = await temporaryFolder();
  const { path } = folder;
  await using work = await startWorkceptor(path);
  let id;
  {
    await using elsewhere = await startWorkceptor(other.path);
    id = await submit(elsewhere, { workType: "cat" }, "copied");
    await completed(elsewhere, id);
  }
  assert.deepEqual(await work.list(), {});
  const copy = async (name: string) => {
    const source = `${other.path}/n1/${id}`;
    await Deno.mkdir(`${path}/n1/${name}`);
    for await (const file of Deno.readDir(source)) {
      await Deno.copyFile(`${source}/${file.name}`, `${path}/n1/${name}/${file.name}`);
    }
  };
  for (const name of ["a", "b", "c", "d"]) await copy(name);
  assert.equal((await work.status("a")).StateName, "Succeeded");
  assert.equal(await readText(work, "b"), "copied");
  assert.deepEqual(await work.release("c", { ...auth, force: false }), { pending: false });
  assert.deepEqual(Object.keys(await work.list()).sort(), ["a", "b", "d"]);
  await Deno.remove(`${path}/n1/a`, { recursive: true });
  await assert.rejects(work.status("a"), { message: "unknown work unit a" });
  await Deno.remove(`${path}/n1/b`, { recursive: true });
  assert.deepEqual(Object.keys(await work.list()), ["d"]);
});

Deno.test("complete units of the Go daemon are shown as it shows them", async () => {
  await using folder = await temporaryFolder();
  const remote = {
    RemoteNode: "n2",
    RemoteWorkType: "echo",
    RemoteParams: { params: "x", workUnitID: "zz9", secret_key: "hidden" },
    RemoteUnitID: "zz9",
    RemoteStarted: true,
    LocalCancelled: false,
    LocalReleased: false,
    SignWork: false,
    TLSClient: "",
    Expiration: "2026-11-21T00:55:25.942175503Z",
  };
  await putUnit(folder.path, "a b-c_d.é", {
    status:
      '{"State":2,"Detail":"exit status 0","StdoutSize":2,"WorkType":"sh","ExtraData":null}\n',
    stdout: "hi",
    "status.lock": "",
  });
  const status = { State: 3, Detail: "exit status 1", WorkType: "remote", ExtraData: remote };
  await putUnit(folder.path, "zz9", { status: statusLine(status) });
  await using work = await startWorkceptor(folder.path);
  assert.equal(await readText(work, "a b-c_d.é"), "hi");
  assert.deepEqual(await work.status("zz9"), {
    Detail: "exit status 1",
    ExtraData: { ...remote, RemoteParams: { params: "x", workUnitID: "zz9" } },
    State: 3,
    StateName: "Failed",
    StdoutSize: 0,
    WorkType: "remote",
  });
});

Deno.test("a data folder serves one daemon at a time for each node id", async () => {
  await using folder = await temporaryFolder();
  {
    await using _first = await startWorkceptor(folder.path);
    await assert.rejects(startWorkceptor(folder.path), StoreInUseError);
    await using _otherNode = await startWorkceptor(folder.path, { nodeId: "n2" });
  }
  await using _next = await startWorkceptor(folder.path);
});

Deno.test("node ids that would escape the data folder stay in it", async (t) => {
  for (const nodeId of ["../up", "a/b", "..", ".", "/abs", ".hidden", "50%", "ünï"]) {
    await t.step(nodeId, async () => {
      await using folder = await temporaryFolder();
      const dataDir = `${folder.path}/data`;
      await Deno.mkdir(dataDir);
      await using work = await startWorkceptor(dataDir, { nodeId });
      const id = await submit(work, { workType: "cat" }, "x");
      await completed(work, id);
      assert.match(id, /^[A-Za-z0-9]+$/);
      const outside = await Array.fromAsync(Deno.readDir(folder.path));
      assert.deepEqual(outside.map(({ name }) => name), ["data"]);
      const inside = (await Array.fromAsync(Deno.readDir(dataDir)))
        .filter(({ isDirectory, name }) => isDirectory && !name.startsWith("."));
      assert.equal(inside.length, 1);
    });
  }
});

Deno.test("results of a followed job stream while it runs", async () => {
  await using folder = await temporaryFolder();
  const { path } = folder;
  let id;
  {
    await using work = await startWorkceptor(path);
    id = await submitScript(work, waiting(path));
    await running(work, id);
  }
  await using work = await startWorkceptor(path);
  const output = await work.results(id, {
    ...auth,
    startPos: 2,
    signal: AbortSignal.timeout(20_000),
  });
  const seen: string[] = [];
  for await (const bytes of output) {
    seen.push(new TextDecoder().decode(bytes));
    if (seen.join("") === "gin\n") await go(path);
  }
  assert.equal(seen.join(""), "gin\nend\n");
  assert.equal((await readAll(work, id, { startPos: 100 })).length, 0);
});
