import assert from "node:assert/strict";
import { ControlError } from "../../../lib/control/control_error.ts";
import { UnitState } from "../../../lib/control/work_service.ts";
import {
  auth,
  commandType,
  completed,
  emptyRequest,
  eventually,
  fastClock,
  pidIn,
  processEnd,
  readAll,
  readText,
  running,
  startWorkceptor,
  submit,
  submitScript,
  temporaryFolder,
  unixCaller,
} from "../_harness.ts";

const refusal = (message: string | RegExp) => (error: unknown) => {
  assert.ok(error instanceof ControlError, String(error));
  if (typeof message === "string") assert.equal(error.message, message);
  else assert.match(error.message, message);
  return true;
};

Deno.test("a command gets the payload and its output is the unit's", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path);
  const id = await submit(work, { workType: "cat" }, "hello\n");
  assert.equal(await readText(work, id), "hello\n");
  assert.deepEqual(await work.status(id), {
    Detail: "exit status 0",
    ExtraData: null,
    State: 2,
    StateName: "Succeeded",
    StdoutSize: 6,
    WorkType: "cat",
  });
});

Deno.test("a unit's files are those of the original, private, and the status one line", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path, { nodeId: "n1.example-host" });
  const id = await submit(work, { workType: "cat" }, "x");
  await completed(work, id);
  assert.match(id, /^n1examplehost[A-Za-z0-9]{8}$/);
  const path = `${folder.path}/n1.example-host/${id}`;
  assert.equal((await Deno.stat(path)).mode! & 0o777, 0o700);
  for (const name of ["stdin", "stdout", "status"]) {
    assert.equal((await Deno.stat(`${path}/${name}`)).mode! & 0o777, 0o600, name);
  }
  assert.equal(
    await Deno.readTextFile(`${path}/status`),
    '{"State":2,"Detail":"exit status 0","StdoutSize":1,"WorkType":"cat","ExtraData":null}\n',
  );
});

Deno.test("each kind of end of a command is described in the original's words", async (t) => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path, {
    types: {
      sh: { command: "sh", params: "-c", allowRuntimeParams: true },
      missing: { command: "no-such-command" },
      path: { command: "/no/such" },
      folder: { command: "/tmp" },
    },
  });
  const cases: [string, string, string][] = [
    ["sh", "'exit 3'", "exit status 3"],
    ["sh", "'exit 137'", "exit status 137"],
    ["sh", "'kill -9 $$'", "signal: killed"],
    ["sh", "'kill -TERM $$'", "signal: terminated"],
    ["sh", "'kill -SEGV $$'", "signal: segmentation fault"],
    ["sh", "'open", "EOF found when expecting closing quote"],
    ["sh", "open\\", "EOF found after escape character"],
    ["missing", "", 'exec: "no-such-command": executable file not found in $PATH'],
    ["path", "", "fork/exec /no/such: no such file or directory"],
    ["folder", "", "fork/exec /tmp: permission denied"],
  ];
  for (const [workType, params, detail] of cases) {
    await t.step(`${workType} ${params}: ${detail}`, async () => {
      const id = await submit(work, { workType, params: params === "" ? {} : { params } });
      const status = await completed(work, id);
      assert.equal(status.Detail.replace(" (core dumped)", ""), detail);
      assert.equal(status.StateName, "Failed");
      assert.equal(status.ExtraData, null);
    });
  }
});

Deno.test("stdout and stderr are one, in order", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path);
  const id = await submitScript(work, "echo one; echo two >&2; echo three");
  assert.equal(await readText(work, id), "one\ntwo\nthree\n");
});

Deno.test("a running unit shows its command's pid and its parameters", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path);
  const id = await submitScript(work, "echo $$; read line", { payload: "" });
  const output = new TextDecoder().decode(await readAll(work, id));
  assert.match(output, /^\d+\n$/);
  const second = await submitScript(work, "echo hi; sleep 30");
  const status = await running(work, second);
  assert.match(status.Detail, /^Running: PID \d+$/);
  const extra = status.ExtraData as { Pid: number; Params: string };
  assert.deepEqual(Object.keys(extra), ["Pid", "Params"]);
  assert.equal(extra.Params, "-c 'echo hi; sleep 30'");
  const parent = (await Deno.readTextFile(`/proc/${pidIn(status)}/stat`)).split(" ")[3];
  assert.equal(Number(parent), extra.Pid);
  await work.cancel(second, auth);
});

Deno.test("runtime parameters are refused unless the work type allows them", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path, {
    types: {
      cat: { command: "cat" },
      echo: { command: "echo", params: "-n one", allowRuntimeParams: true },
    },
  });
  await assert.rejects(
    submit(work, { workType: "cat", params: { params: "/etc/passwd" } }),
    refusal("extra params provided but not allowed"),
  );
  const id = await submit(work, { workType: "echo", params: { params: "'two  words' \"$HOME\"" } });
  assert.equal(await readText(work, id), "one two  words $HOME");
});

Deno.test("impossible submissions are refused in the original's words", async (t) => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path);
  const cases: [Partial<typeof emptyRequest> & { params?: Record<string, string> }, string][] = [
    [{ workType: "bogus" }, "unknown work type bogus"],
    [{ workType: "remote" }, "unknown work type remote"],
    [{ ttl: "5s" }, "ttl option is intended for remote work only"],
    [{ node: "n2", ttl: "5x" }, 'time: unknown unit "x" in duration "5x"'],
    [{ node: "n2", tlsClient: "zip" }, "unknown TLS config zip"],
    [
      { node: "n2", params: { Secret_kube: "x" } },
      "cannot send secrets over a non-TLS connection",
    ],
    [{ node: "n2", signWork: true }, "cannot sign work: signing key is empty"],
    [{ signature: "x" }, "work type did not expect a signature"],
  ];
  for (const [request, message] of cases) {
    await t.step(message, async () => {
      await assert.rejects(
        work.submit({ ...emptyRequest, ...request }, unixCaller),
        refusal(message),
      );
    });
  }
  assert.deepEqual(await work.list(), {});
  assert.deepEqual(await Array.fromAsync(Deno.readDir(`${folder.path}/n1`)), []);
});

Deno.test("a submitter's own id is taken once, and only if it is a safe name", async (t) => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path);
  const request = { ...emptyRequest, workUnitId: "abc123" };
  const first = await work.submit(request, unixCaller);
  assert.equal(first.unitId, "abc123");
  const inUse =
    "workunit ID abc123 is already in use, cannot use the same workunit ID more than once";
  await assert.rejects(work.submit(request, unixCaller), refusal(inUse));
  await first.abandon("Error reading input data: gone");
  await work.release("abc123", { ...auth, force: false });
  await (await work.submit(request, unixCaller)).abandon("x");
  for (const workUnitId of ["../../etc", "a/b", ".", "..", "a b", "ü", "a\0", "x".repeat(201)]) {
    await t.step(JSON.stringify(workUnitId.slice(0, 20)), async () => {
      await assert.rejects(
        work.submit({ ...emptyRequest, workUnitId }, unixCaller),
        refusal(/^workUnitID must be 1 to 200 letters and digits/),
      );
    });
  }
});

Deno.test("of many simultaneous submissions under one id exactly one is accepted", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path);
  const request = { ...emptyRequest, workType: "cat", workUnitId: "same" };
  const results = await Promise.allSettled(
    Array.from({ length: 20 }, () => work.submit(request, unixCaller)),
  );
  const taken = results.flatMap((result) => result.status === "fulfilled" ? [result.value] : []);
  assert.equal(taken.length, 1);
  await taken[0]!.start();
  assert.equal((await completed(work, "same")).StateName, "Succeeded");
});

Deno.test("unknown units are refused alike by every command", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path);
  const signal = new AbortController().signal;
  for (const id of ["nope", "../n1", "..", "", ".", "a/b", "a\0b", "x".repeat(5000)]) {
    const unknown = refusal(`unknown work unit ${id}`);
    await assert.rejects(work.status(id), unknown);
    await assert.rejects(work.list(id), unknown);
    await assert.rejects(work.cancel(id, auth), unknown);
    await assert.rejects(work.release(id, { ...auth, force: true }), unknown);
    await assert.rejects(work.results(id, { ...auth, startPos: 0, signal }), unknown);
  }
});

Deno.test("cancel ends the whole process group and the results stream", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path);
  const id = await submitScript(work, "sleep 100 & echo $!; sleep 100");
  const status = await running(work, id);
  const results = readText(work, id);
  await eventually(async () => (await work.status(id)).StdoutSize > 0);
  assert.deepEqual(await work.cancel(id, auth), { pending: false });
  // Up to the end of the unit, which on a busy machine may come only after the reply.
  const output = await results;
  assert.deepEqual(await work.status(id), {
    Detail: "Canceled",
    ExtraData: null,
    State: UnitState.Canceled,
    StateName: "Canceled",
    StdoutSize: output.length,
    WorkType: "sh",
  });
  await processEnd(pidIn(status));
  assert.deepEqual(await work.cancel(id, auth), { pending: false });
});

Deno.test("what a job prints when it is interrupted is part of its output", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path);
  const id = await submitScript(
    work,
    "trap 'echo bye; exit 7' INT; echo hi; while :; do sleep 1; done",
  );
  const results = readText(work, id);
  await eventually(async () => (await work.status(id)).StdoutSize === 3);
  await work.cancel(id, auth);
  assert.equal(await results, "hi\nbye\n");
  assert.equal((await work.status(id)).StateName, "Canceled");
});

Deno.test("cancel answers at once even if the job ignores it, and kills it 10 s later", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path, { parts: { clock: fastClock(2) } });
  const id = await submitScript(work, "trap '' INT; echo hi; while :; do sleep 1; done");
  const status = await running(work, id);
  await eventually(async () => (await work.status(id)).StdoutSize === 3);
  const start = performance.now();
  await work.cancel(id, auth);
  // It did not wait for the job.
  assert.equal((await work.status(id)).StateName, "Running");
  const onDisk = JSON.parse(await Deno.readTextFile(`${folder.path}/n1/${id}/status`));
  assert.equal(onDisk.ExtraData.CancelRequested, true);
  assert.equal((await completed(work, id)).StateName, "Canceled");
  assert.ok(performance.now() - start > 4_900, "the job had no time to end");
  await processEnd(pidIn(status));
});

Deno.test("a cancel in the middle of the payload keeps the unit from starting", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path);
  const unit = await work.submit({ ...emptyRequest, workType: "cat" }, unixCaller);
  await unit.writePayload(new Uint8Array(10));
  assert.equal((await work.status(unit.unitId)).Detail, "Waiting for Input Data");
  await work.cancel(unit.unitId, auth);
  assert.equal((await work.status(unit.unitId)).StateName, "Canceled");
  await assert.rejects(unit.start(), refusal(/was cancelled before it could start/));
  assert.equal(await readText(work, unit.unitId), "");
});

Deno.test("a cancel right after the start always ends the job", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path);
  await Promise.all(Array.from({ length: 10 }, async (_, delay) => {
    const unit = await work.submit(
      { ...emptyRequest, params: { params: "'sleep 100'" } },
      unixCaller,
    );
    const started = unit.start().catch((error) => error);
    await new Promise((resolve) => setTimeout(resolve, delay));
    await work.cancel(unit.unitId, auth);
    await started;
    assert.equal((await completed(work, unit.unitId)).StateName, "Canceled");
  }));
});

Deno.test("an abandoned payload fails the unit for the given reason", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path);
  const unit = await work.submit({ ...emptyRequest, workType: "cat" }, unixCaller);
  await unit.writePayload(new Uint8Array(10));
  await unit.abandon("Error reading input data: connection reset");
  const status = await work.status(unit.unitId);
  assert.equal(status.StateName, "Failed");
  assert.equal(status.Detail, "Error reading input data: connection reset");
  await assert.rejects(unit.start());
});

Deno.test("release ends the job, its results stream, and all traces on disk", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path);
  const id = await submitScript(work, "echo hi; sleep 100");
  const status = await running(work, id);
  const results = readText(work, id);
  await eventually(async () => (await work.status(id)).StdoutSize === 3);
  await work.release(id, { ...auth, force: false });
  assert.equal(await results, "hi\n");
  await eventually(async () => Object.keys(await work.list()).length === 0);
  await assert.rejects(work.status(id), refusal(`unknown work unit ${id}`));
  await assert.rejects(
    work.release(id, { ...auth, force: false }),
    refusal(`unknown work unit ${id}`),
  );
  assert.deepEqual(await Array.fromAsync(Deno.readDir(`${folder.path}/n1`)), []);
  await processEnd(pidIn(status));
});

Deno.test("two releases at once both succeed", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path);
  const id = await submitScript(work, "sleep 100");
  await running(work, id);
  const release = () => work.release(id, { ...auth, force: false });
  await Promise.all([release(), release()]);
  await eventually(async () => Object.keys(await work.list()).length === 0);
});

Deno.test("a stubborn job's release is pending, and is done once the job is killed", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path, { parts: { clock: fastClock(10) } });
  const id = await submitScript(work, "trap '' INT; echo hi; while :; do sleep 1; done");
  await eventually(async () => (await work.status(id)).StdoutSize === 3);
  const results = readText(work, id);
  assert.deepEqual(await work.release(id, { ...auth, force: false }), { pending: true });
  assert.equal((await work.status(id)).StateName, "Running");
  assert.equal(await results, "hi\n");
  await eventually(async () => Object.keys(await work.list()).length === 0);
});

Deno.test("a forced release kills at once", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path);
  const id = await submitScript(work, "trap '' INT; echo hi; while :; do sleep 1; done");
  const status = await running(work, id);
  await eventually(async () => (await work.status(id)).StdoutSize === 3);
  assert.deepEqual(await work.release(id, { ...auth, force: true }), { pending: false });
  await processEnd(pidIn(status));
  assert.deepEqual(await work.list(), {});
});

Deno.test("release of a unit whose folder is partly or completely gone succeeds", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path);
  const partly = await submit(work, { workType: "cat" }, "x");
  await completed(work, partly);
  await Deno.remove(`${folder.path}/n1/${partly}/status`);
  await Deno.remove(`${folder.path}/n1/${partly}/stdout`);
  assert.deepEqual(await work.release(partly, { ...auth, force: false }), { pending: false });
  const wholly = await submitScript(work, "sleep 100");
  await running(work, wholly);
  await Deno.remove(`${folder.path}/n1/${wholly}`, { recursive: true });
  await work.release(wholly, { ...auth, force: false });
  await eventually(async () => Object.keys(await work.list()).length === 0);
});

Deno.test("a job whose supervisor is killed fails with the cause, and leaves nothing behind", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path);
  const id = await submitScript(work, "echo hi; sleep 100");
  const status = await running(work, id);
  const supervisor = (status.ExtraData as { Pid: number }).Pid;
  Deno.kill(supervisor, "SIGKILL");
  const failed = await completed(work, id);
  assert.equal(failed.StateName, "Failed");
  assert.equal(
    failed.Detail,
    `Job lost: its supervisor (PID ${supervisor}) ended without leaving an exit status`,
  );
  await processEnd(pidIn(status));
});

Deno.test("signals to the supervisor alone do not disturb the job", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path);
  const id = await submitScript(
    work,
    `while [ -d '${folder.path}' ] && [ ! -e '${folder.path}/go' ]; do sleep 0.05; done; echo done`,
  );
  const status = await running(work, id);
  const supervisor = (status.ExtraData as { Pid: number }).Pid;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const) {
    Deno.kill(supervisor, signal);
  }
  await Deno.writeTextFile(`${folder.path}/go`, "");
  assert.equal(await readText(work, id), "done\n");
  assert.equal((await work.status(id)).StateName, "Succeeded");
});

Deno.test("a job that leaves a background process behind is complete when its command ends", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path);
  const id = await submitScript(work, "sleep 100 & echo $!");
  const pid = Number(await readText(work, id));
  assert.equal((await work.status(id)).Detail, "exit status 0");
  Deno.kill(pid, "SIGKILL");
});

Deno.test("jobs start with signals at their defaults, and with no file of ours open", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path);
  const id = await submitScript(work, "grep SigIgn /proc/self/status; ls -l /proc/$$/fd");
  const output = await readText(work, id);
  const ignored = BigInt(`0x${/SigIgn:\s*([0-9a-f]+)/.exec(output)![1]}`);
  // The first 31 are the ones with a meaning.
  assert.equal(ignored & 0x7fffffffn, 0n, output);
  assert.ok(!output.includes("supervisor"), output);
});

Deno.test("a full list has every unit, with the same as status says about each", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path);
  const ids = await Promise.all(
    Array.from({ length: 12 }, () => submit(work, { workType: "cat" }, "x")),
  );
  for (const id of ids) await completed(work, id);
  const list = await work.list();
  assert.deepEqual(Object.keys(list).sort(), [...ids].sort());
  for (const id of ids) assert.deepEqual(list[id], await work.status(id));
  assert.deepEqual(await work.list(ids[0]), { [ids[0]!]: list[ids[0]!] });
});

Deno.test("work types are advertised with whether they require a signature", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path, {
    types: { a: { command: "a" }, b: { command: "b", verifySignature: true } },
  });
  assert.deepEqual(work.workTypes(), [
    { WorkType: "a", Secure: false },
    { WorkType: "b", Secure: true },
  ]);
  assert.throws(() => work.registerWorkType("a", commandType({ command: "x" })), TypeError);
});

Deno.test("commands about a signed type need a valid signature, except on the Unix socket", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path, {
    types: { cat: { command: "cat", verifySignature: true } },
    parts: {
      verifySignature: (signature) =>
        signature === "good" ? Promise.resolve() : Promise.reject(new ControlError("bad one")),
    },
  });
  const mesh = { via: "mesh", secure: false, description: "n2" } as const;
  const request = { ...emptyRequest, workType: "cat" };
  await assert.rejects(
    work.submit(request, mesh),
    refusal("could not verify signature: signature is empty"),
  );
  await assert.rejects(work.submit({ ...request, signature: "bad" }, mesh), refusal("bad one"));
  const unit = await work.submit({ ...request, signature: "good" }, mesh);
  await unit.start();
  const id = unit.unitId;
  const signal = AbortSignal.timeout(10_000);
  for (const signature of ["", "bad"]) {
    const bad = { caller: mesh, signature };
    await assert.rejects(work.cancel(id, bad), ControlError);
    await assert.rejects(work.release(id, { ...bad, force: true }), ControlError);
    await assert.rejects(work.results(id, { ...bad, startPos: 0, signal }), ControlError);
  }
  await completed(work, id);
  await work.release(id, { caller: mesh, signature: "good", force: false });
});
