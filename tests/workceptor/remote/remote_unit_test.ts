/** Units on another node, over a network that may fail. */
import assert from "node:assert/strict";
import { ControlError } from "../../../lib/control/control_error.ts";
import type { WorkService } from "../../../lib/control/work_service.ts";
import type { Workceptor } from "../../../lib/workceptor/workceptor.ts";
import {
  auth,
  completed,
  emptyRequest,
  ended,
  eventually,
  fastClock,
  quoted,
  readAll,
  readText,
  running,
  startWorkceptor,
  submit,
  submitScript,
  temporaryFolder,
  unixCaller,
  type WorkceptorSetup,
} from "../_harness.ts";
import { type CuttableStream, Network } from "./_network.ts";

const refusal = (message: string | RegExp) => (error: unknown) => {
  assert.ok(error instanceof ControlError, String(error));
  if (typeof message === "string") assert.equal(error.message, message);
  else assert.match(error.message, message);
  return true;
};

/** Node `n` of the network, on its own folder below `path`. */
async function startNode(
  network: Network,
  path: string,
  id: string,
  { parts, ...setup }: WorkceptorSetup = {},
): Promise<Workceptor> {
  const workceptor = await startWorkceptor(path, {
    ...setup,
    nodeId: id,
    parts: { mesh: network.mesh(id), ...parts },
  });
  network.serve(id, workceptor);
  return workceptor;
}

/** Ends a node as a crash would for the others: its streams break, its routes are gone. */
async function stopNode(network: Network, id: string, workceptor: Workceptor): Promise<void> {
  network.serve(id, undefined);
  await workceptor[Symbol.asyncDispose]();
}

interface Pair extends AsyncDisposable {
  network: Network;
  path: string;
  near: Workceptor;
  far: Workceptor;
}

/** Nodes `near` and `far`. */
async function startPair(setup: WorkceptorSetup = {}): Promise<Pair> {
  const folder = await temporaryFolder();
  const network = new Network();
  const { path } = folder;
  const pair = {
    network,
    path,
    far: await startNode(network, path, "far", setup),
    near: await startNode(network, path, "near", setup),
    async [Symbol.asyncDispose]() {
      await pair.near[Symbol.asyncDispose]();
      await network[Symbol.asyncDispose]();
      await pair.far[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
  return pair;
}

/** Appends a line to `<path>/runs` and waits for `<path>/go`. */
const counted = (path: string, script: string) => `echo run >>'${path}/runs'; ${script}`;
const awaitGo = (path: string) =>
  `while [ -d '${path}' ] && [ ! -e '${path}/go' ]; do sleep 0.02; done`;
const go = (path: string) => Deno.writeTextFile(`${path}/go`, "");
async function runs(path: string): Promise<number> {
  return (await Deno.readTextFile(`${path}/runs`).catch(() => "")).length / 4;
}

const unusedExtra = {
  RemoteNode: "far",
  RemoteWorkType: "sh",
  RemoteParams: {},
  RemoteUnitID: "",
  RemoteStarted: false,
  LocalCancelled: false,
  LocalReleased: false,
  SignWork: false,
  TLSClient: "",
  Expiration: "0001-01-01T00:00:00Z",
};

Deno.test("a unit runs on another node under the same id, and its output comes back", async () => {
  await using pair = await startPair();
  const { near, far } = pair;
  const unit = await near.submit({ ...emptyRequest, node: "far", workType: "cat" }, unixCaller);
  await unit.writePayload(new TextEncoder().encode("payload"));
  assert.equal(await unit.start(), "Job Started");
  const id = unit.unitId;
  assert.equal(await readText(near, id), "payload");
  assert.deepEqual(await near.status(id), {
    Detail: "exit status 0",
    ExtraData: { ...unusedExtra, RemoteWorkType: "cat", RemoteUnitID: id, RemoteStarted: true },
    State: 2,
    StateName: "Succeeded",
    StdoutSize: 7,
    WorkType: "remote",
  });
  assert.equal((await far.status(id)).WorkType, "cat");
});

Deno.test("the record on disk of a complete remote unit is the original's", async () => {
  await using pair = await startPair();
  const { near, path } = pair;
  const id = await submitScript(near, "exit 2", { node: "far" });
  await completed(near, id);
  assert.deepEqual(
    JSON.parse(await Deno.readTextFile(`${path}/near/${id}/status`)),
    {
      State: 3,
      Detail: "exit status 2",
      StdoutSize: 0,
      WorkType: "remote",
      ExtraData: {
        ...unusedExtra,
        RemoteParams: { params: "'exit 2'" },
        RemoteUnitID: id,
        RemoteStarted: true,
        PayloadSent: true,
      },
    },
  );
});

Deno.test("output and state of a remote unit are available while it runs", async () => {
  await using pair = await startPair();
  const { near, far, path } = pair;
  const id = await submitScript(near, `echo begin; ${awaitGo(path)}; echo end`, { node: "far" });
  const signal = AbortSignal.timeout(30_000);
  let text = "";
  for await (const bytes of await near.results(id, { ...auth, startPos: 0, signal })) {
    text += new TextDecoder().decode(bytes);
    if (text !== "begin\n") continue;
    const status = await running(near, id);
    assert.equal(status.Detail, (await running(far, id)).Detail);
    assert.equal(status.StdoutSize, 6);
    await go(path);
  }
  assert.equal(text, "begin\nend\n");
});

Deno.test("what the remote node refuses fails the unit in the remote's words", async (t) => {
  await using pair = await startPair();
  const { near } = pair;
  const cases: [string, Record<string, string>, string][] = [
    ["bogus", {}, "error from remote: unknown work type bogus"],
    ["cat", { params: "x" }, "error from remote: extra params provided but not allowed"],
  ];
  for (const [workType, params, message] of cases) {
    await t.step(message, async () => {
      const before = Object.keys(await near.list());
      await assert.rejects(submit(near, { node: "far", workType, params }), refusal(message));
      const id = Object.keys(await near.list()).find((id) => !before.includes(id))!;
      const status = await near.status(id);
      assert.equal(status.StateName, "Failed");
      assert.equal(status.Detail, `Error starting worker: ${message}`);
      assert.equal((status.ExtraData as typeof unusedExtra).RemoteUnitID, "");
      assert.deepEqual(await near.release(id, { ...auth, force: false }), { pending: false });
    });
  }
});

Deno.test("a unit for a node that is away is submitted once the route is there", async () => {
  // Slow, so that the next attempt would be half a minute away.
  await using pair = await startPair({ parts: { clock: fastClock(1 / 30) } });
  const { near, network, path } = pair;
  network.setUp(false);
  const unit = await near.submit({
    ...emptyRequest,
    node: "far",
    params: { params: quoted(counted(path, "cat")) },
  }, unixCaller);
  await unit.writePayload(new TextEncoder().encode("late"));
  assert.equal(await unit.start(), "Job Submitted");
  const status = await near.status(unit.unitId);
  assert.equal(status.Detail, "Starting Worker");
  assert.equal(status.StateName, "Pending");
  const start = performance.now();
  network.setUp(true);
  assert.equal(await readText(near, unit.unitId), "late");
  assert.ok(performance.now() - start < 20_000, "the route's return was not noticed");
  assert.equal(await runs(path), 1);
});

Deno.test("a unit that waits for its node survives a restart and runs once", async () => {
  await using pair = await startPair();
  const { network, path } = pair;
  network.setUp(false);
  const id = await submitScript(pair.near, counted(path, "cat"), { node: "far", payload: "kept" });
  await stopNode(network, "near", pair.near);
  pair.near = await startNode(network, path, "near");
  network.setUp(true);
  assert.equal(await readText(pair.near, id), "kept");
  assert.equal(await runs(path), 1);
});

Deno.test("a payload that was never complete fails at restart and is not sent", async () => {
  await using pair = await startPair();
  const { network, path } = pair;
  const unit = await pair.near.submit(
    { ...emptyRequest, node: "far", workType: "cat" },
    unixCaller,
  );
  await unit.writePayload(new Uint8Array(10));
  await stopNode(network, "near", pair.near);
  pair.near = await startNode(network, path, "near");
  const status = await pair.near.status(unit.unitId);
  assert.equal(status.StateName, "Failed");
  assert.match(status.Detail, /^Error reading input data: the node restarted/);
  assert.deepEqual(await pair.far.list(), {});
});

Deno.test("a unit whose payload was removed before it was sent fails and says so", async () => {
  for (const removed of ["", "/stdin"]) {
    await using pair = await startPair();
    const { near, network, path } = pair;
    network.setUp(false);
    const id = await submit(near, { node: "far", workType: "cat" }, "payload");
    await Deno.remove(`${path}/near/${id}${removed}`, { recursive: true });
    network.setUp(true);
    const { Detail, StateName } = await ended(near, id);
    assert.equal(StateName, "Failed");
    assert.match(Detail, /^Error starting worker: the payload was lost: .*\/stdin was removed/);
    assert.deepEqual(await pair.far.list(), {});
  }
});

Deno.test("a unit that is not started in time expires", async () => {
  await using pair = await startPair();
  const { near, network } = pair;
  network.setUp(false);
  const unit = await near.submit({
    ...emptyRequest,
    node: "far",
    workType: "cat",
    ttl: "300ms",
  }, unixCaller);
  assert.equal(await unit.start(), "Job Submitted");
  const { Expiration } = (await near.status(unit.unitId)).ExtraData as typeof unusedExtra;
  assert.ok(Math.abs(Date.parse(Expiration) - Date.now()) < 10_000);
  const status = await completed(near, unit.unitId);
  assert.equal(status.StateName, "Failed");
  assert.match(
    status.Detail,
    /^Work unit expired on [A-Z][a-z]{2} [A-Z][a-z]{2} \d{1,2} \d\d:\d\d:\d\d$/,
  );
  network.setUp(true);
  assert.deepEqual(await near.release(unit.unitId, { ...auth, force: false }), { pending: false });
  assert.deepEqual(await pair.far.list(), {});
});

Deno.test("a cancelled unit of unknown outcome waits quietly past its ttl, and ends", async () => {
  await using pair = await startPair();
  const { network, path } = pair;
  let first = true;
  network.onDial = (stream) => {
    if (first) stream.there.left = 100_000;
    first = false;
  };
  const id = await submit(pair.near, {
    node: "far",
    ttl: "3s",
    params: { params: quoted(counted(path, "cat")) },
  }, randomBytes(300_000));
  await stopNode(network, "far", pair.far);
  assert.deepEqual(await pair.near.cancel(id, auth), { pending: true });
  const before = network.lookups;
  await new Promise((resolve) => setTimeout(resolve, 3_500));
  const attempts = network.lookups - before;
  assert.ok(attempts < 15, `${attempts} attempts within some seconds`);
  pair.far = await startNode(network, path, "far");
  const status = await completed(pair.near, id);
  assert.equal(status.StateName, "Failed");
  assert.match(status.Detail, /^Work unit expired on /);
  assert.equal(await runs(path), 0);
});

Deno.test("a unit that started in time does not expire", async () => {
  await using pair = await startPair();
  const { near, path } = pair;
  const id = await submit(near, {
    node: "far",
    ttl: "8s",
    params: { params: quoted(awaitGo(path)) },
  });
  await running(near, id);
  await new Promise((resolve) => setTimeout(resolve, 8_100));
  assert.equal((await near.status(id)).StateName, "Running");
  await go(path);
  assert.equal((await completed(near, id)).StateName, "Succeeded");
});

Deno.test("cancel is passed on, and both sides end up cancelled", async () => {
  await using pair = await startPair();
  const { near, far } = pair;
  const id = await submitScript(near, "echo hi; sleep 100", { node: "far" });
  await running(near, id);
  const results = readText(near, id);
  assert.deepEqual(await near.cancel(id, auth), { pending: false });
  assert.equal(await results, "hi\n");
  const status = await near.status(id);
  assert.equal(status.StateName, "Canceled");
  assert.equal(status.Detail, "Canceled");
  assert.equal((status.ExtraData as typeof unusedExtra).LocalCancelled, true);
  assert.equal((await far.status(id)).StateName, "Canceled");
  assert.deepEqual(await near.cancel(id, auth), { pending: false });
});

Deno.test("cancel of a unit that was never sent needs no remote node", async () => {
  await using pair = await startPair();
  const { near, network } = pair;
  network.setUp(false);
  const id = await submit(near, { node: "far", workType: "cat" });
  assert.deepEqual(await near.cancel(id, auth), { pending: false });
  const status = await near.status(id);
  assert.equal(status.StateName, "Failed");
  assert.equal(status.Detail, "Locally Cancelled");
  assert.equal(await readText(near, id), "");
  network.setUp(true);
  assert.deepEqual(await near.release(id, { ...auth, force: false }), { pending: false });
  assert.deepEqual(await pair.far.list(), {});
});

Deno.test("cancel and release of a unit whose node is away are pending, and done later", async () => {
  await using pair = await startPair();
  const { near, far, network } = pair;
  const cancelled = await submitScript(near, "echo hi; sleep 100", { node: "far" });
  const released = await submitScript(near, "echo hi; sleep 100", { node: "far" });
  await running(near, cancelled);
  await running(near, released);
  network.setUp(false);
  network.breakStreams();
  assert.deepEqual(await near.cancel(cancelled, auth), { pending: true });
  assert.deepEqual(await near.release(released, { ...auth, force: false }), { pending: true });
  const extra = (await near.status(released)).ExtraData as typeof unusedExtra;
  assert.equal(extra.LocalReleased, true);
  assert.equal((await near.status(cancelled)).StateName, "Running");
  network.setUp(true);
  assert.equal((await completed(near, cancelled)).StateName, "Canceled");
  await eventually(async () => !(released in await near.list()));
  assert.deepEqual(Object.keys(await far.list()), [cancelled]);
});

Deno.test("without a route there is no waiting, whatever connections there are", async () => {
  await using pair = await startPair();
  const { near, far, network } = pair;
  const ids: string[] = [];
  for (let i = 0; i < 3; i++) ids.push(await submitScript(near, "sleep 100", { node: "far" }));
  for (const id of ids) await running(near, id);
  const [cancelled, released, forced] = ids as [string, string, string];
  network.stall(true);
  network.setUp(false);
  const start = performance.now();
  assert.deepEqual(await near.cancel(cancelled, auth), { pending: true });
  assert.deepEqual(await near.release(released, { ...auth, force: false }), { pending: true });
  assert.deepEqual(await near.release(forced, { ...auth, force: true }), { pending: false });
  assert.ok(performance.now() - start < 25_000, "it waited for an answer that cannot come");
  network.stall(false);
  network.setUp(true);
  assert.equal((await completed(near, cancelled)).StateName, "Canceled");
  await eventually(async () => Object.keys(await near.list()).join() === cancelled);
  assert.ok(!(released in await far.list()));
  await far.release(forced, { ...auth, force: true });
});

Deno.test("whoever waits for a cancel is answered when the route is lost", async () => {
  await using pair = await startPair();
  const { near, network } = pair;
  const id = await submitScript(near, "sleep 100", { node: "far" });
  await running(near, id);
  network.stall(true);
  const cancelled = near.cancel(id, auth);
  await eventually(async () => {
    const { LocalCancelled } = (await near.status(id)).ExtraData as typeof unusedExtra;
    return LocalCancelled;
  });
  const start = performance.now();
  network.setUp(false);
  assert.deepEqual(await cancelled, { pending: true });
  assert.ok(performance.now() - start < 25_000, "it waited for an answer that cannot come");
  network.stall(false);
  network.setUp(true);
  assert.equal((await completed(near, id)).StateName, "Canceled");
});

Deno.test("a pending cancel and a pending release survive a restart", async () => {
  await using pair = await startPair();
  const { far, network, path } = pair;
  const cancelled = await submitScript(pair.near, "echo hi; sleep 100", { node: "far" });
  const released = await submitScript(pair.near, "echo hi; sleep 100", { node: "far" });
  await running(pair.near, cancelled);
  await running(pair.near, released);
  network.setUp(false);
  network.breakStreams();
  assert.deepEqual(await pair.near.cancel(cancelled, auth), { pending: true });
  assert.deepEqual(await pair.near.release(released, { ...auth, force: false }), { pending: true });
  await stopNode(network, "near", pair.near);
  pair.near = await startNode(network, path, "near");
  network.setUp(true);
  assert.equal((await completed(pair.near, cancelled)).StateName, "Canceled");
  await eventually(async () => !(released in await pair.near.list()));
  await eventually(async () => Object.keys(await far.list()).join() === cancelled);
});

Deno.test("release removes a unit on both nodes", async () => {
  await using pair = await startPair();
  const { near, far, path } = pair;
  const done = await submit(near, { node: "far", workType: "cat" }, "x");
  await completed(near, done);
  const busy = await submitScript(near, "echo hi; sleep 100", { node: "far" });
  await running(near, busy);
  const results = readText(near, busy);
  for (const id of [done, busy]) {
    assert.deepEqual(await near.release(id, { ...auth, force: false }), { pending: false });
  }
  assert.equal(await results, "hi\n");
  assert.deepEqual(await near.list(), {});
  assert.deepEqual(await far.list(), {});
  assert.deepEqual(await Array.fromAsync(Deno.readDir(`${path}/near`)), []);
  assert.deepEqual(await Array.fromAsync(Deno.readDir(`${path}/far`)), []);
});

Deno.test("a forced release does not need the remote node", async () => {
  await using pair = await startPair();
  const { near, network } = pair;
  const id = await submitScript(near, "sleep 100", { node: "far" });
  await running(near, id);
  network.setUp(false);
  network.breakStreams();
  assert.deepEqual(await near.release(id, { ...auth, force: true }), { pending: false });
  assert.deepEqual(await near.list(), {});
  await pair.far.release(id, { ...auth, force: true });
});

Deno.test("a unit that is gone at the remote node fails; cancel says so, release converges", async () => {
  await using pair = await startPair();
  const { near, far, network } = pair;
  const ids = [];
  for (let i = 0; i < 3; i++) {
    ids.push(await submitScript(near, "echo hi; sleep 100", { node: "far" }));
    await running(near, ids[i]!);
  }
  const [lost, cancelled, released] = ids as [string, string, string];
  network.setUp(false);
  network.breakStreams();
  for (const id of ids) await far.release(id, { ...auth, force: true });
  assert.deepEqual(await near.release(released, { ...auth, force: false }), { pending: true });
  network.setUp(true);
  assert.equal((await completed(near, lost)).Detail, "Remote work unit is gone");
  assert.equal((await near.status(lost)).StateName, "Failed");
  await completed(near, cancelled);
  assert.deepEqual(await near.release(lost, { ...auth, force: false }), { pending: false });
  await eventually(async () => Object.keys(await near.list()).join() === cancelled);
});

Deno.test("cancel of a running unit that the remote node does not know is refused as AWX expects", async () => {
  await using pair = await startPair();
  const { near, far, network } = pair;
  const id = await submitScript(near, "echo hi; sleep 100", { node: "far" });
  await running(near, id);
  // Only this command reaches a node that has lost the unit.
  const lost: WorkService = Object.assign(Object.create(far), {
    cancel: () => Promise.reject(new ControlError(`unknown work unit ${id}`)),
    status: (unit: string) => far.status(unit),
    results: (unit: string, request: Parameters<WorkService["results"]>[1]) =>
      far.results(unit, request),
  });
  network.serve("far", lost);
  network.breakStreams();
  await assert.rejects(
    near.cancel(id, auth),
    refusal(`error cancelling remote unit:  unknown work unit ${id}`),
  );
  assert.equal((await near.status(id)).Detail, "Remote work unit is gone");
  await far.release(id, { ...auth, force: true });
});

Deno.test("secret parameters are sent, and neither written nor shown", async () => {
  await using folder = await temporaryFolder();
  await using network = new Network();
  const { path } = folder;
  let seen: Record<string, string> | undefined;
  await using far = await startNode(network, path, "far");
  network.serve(
    "far",
    Object.assign(Object.create(far), {
      submit: (request: typeof emptyRequest, caller: typeof unixCaller) => {
        seen = request.params;
        return far.submit(request, caller);
      },
      status: (id: string) => far.status(id),
      results: (id: string, request: Parameters<WorkService["results"]>[1]) =>
        far.results(id, request),
    }),
  );
  const tls = { verifyServer() {} };
  await using near = await startNode(network, path, "near", {
    parts: { tlsClient: (name) => name === "tls" ? () => Promise.resolve(tls) : undefined },
  });
  const params = { secret_kube: "hush", Secret_Two: "hush", open: "yes" };
  const id = await submit(near, { node: "far", workType: "cat", tlsClient: "tls", params });
  assert.deepEqual(seen, params);
  await completed(near, id);
  const extra = (await near.status(id)).ExtraData as typeof unusedExtra;
  assert.deepEqual(extra.RemoteParams, { open: "yes" });
  for (const node of ["near", "far"]) {
    assert.ok(!(await Deno.readTextFile(`${path}/${node}/${id}/status`)).includes("hush"));
  }
  network.setUp(false);
  const waiting = await submit(near, { node: "far", workType: "cat", tlsClient: "tls", params });
  await stopNode(network, "near", near);
  await using again = await startNode(network, path, "near", {
    parts: { tlsClient: (name) => name === "tls" ? () => Promise.resolve(tls) : undefined },
  });
  network.setUp(true);
  assert.match((await completed(again, waiting)).Detail, /secret parameters are not kept on disk/);
});

Deno.test("signed work carries a fresh signature for each command", async () => {
  await using folder = await temporaryFolder();
  await using network = new Network();
  const { path } = folder;
  let made = 0;
  const good = new Set<string>();
  await using far = await startNode(network, path, "far", {
    types: { cat: { command: "cat", allowRuntimeParams: true, verifySignature: true } },
    parts: {
      verifySignature: (signature, command) =>
        good.delete(signature) && signature.endsWith(` ${command}`)
          ? Promise.resolve()
          : Promise.reject(new ControlError("bad")),
    },
  });
  await using near = await startNode(network, path, "near", {
    parts: {
      signWork: (node, command) => {
        const signature = `${node}-${++made} ${command}`;
        good.add(signature);
        return Promise.resolve(signature);
      },
    },
  });
  const request = { node: "far", workType: "cat", signWork: true, params: { params: "-u" } };
  const id = await submit(near, request, "signed");
  assert.equal(await readText(near, id), "signed");
  await near.release(id, { ...auth, force: false });
  assert.deepEqual(await far.list(), {});
  assert.ok(made >= 3);
});

Deno.test("20 MB arrive byte for byte over streams that break again and again", async () => {
  await using pair = await startPair({ parts: { clock: fastClock(50) } });
  const { near, network, path } = pair;
  const payload = randomBytes(5_000_000);
  network.onDial = (stream) => {
    stream.back.left = 1 + Math.floor(Math.random() * 2_000_000);
  };
  const id = await submitScript(near, counted(path, "cat; echo done"), {
    node: "far",
    payload,
  });
  const output = await readAll(near, id);
  assert.equal(output.length, payload.length + 5);
  assert.equal(await digest(output.subarray(0, payload.length)), await digest(payload));
  assert.equal((await near.status(id)).StateName, "Succeeded");
  assert.equal(await runs(path), 1);
});

Deno.test("a job whose payload is cut at any byte still runs once", async (t) => {
  for (const cut of [0, 1, 40, 100, 130, 200, 10_000, 300_000, 600_000, 1_000_000]) {
    await t.step(`after ${cut} bytes`, async () => {
      await using pair = await startPair({ parts: { clock: fastClock(50) } });
      const { near, network, path } = pair;
      const payload = randomBytes(700_000);
      let first = true;
      network.onDial = (stream) => {
        if (first) stream.there.left = cut;
        first = false;
      };
      const id = await submitScript(near, counted(path, "cat"), { node: "far", payload });
      assert.equal(await digest(await readAll(near, id)), await digest(payload));
      assert.equal((await near.status(id)).StateName, "Succeeded");
      assert.equal(await runs(path), 1);
      assert.equal(Object.keys(await pair.far.list()).length, 1);
    });
  }
});

Deno.test("a cut that only the submitter noticed is waited out, and its late rest runs nothing", async () => {
  await using pair = await startPair({ parts: { clock: fastClock(50) } });
  const { near, far, network, path } = pair;
  const payload = randomBytes(300_000);
  let stale: CuttableStream | undefined;
  network.onDial = (stream) => {
    if (stale !== undefined) return;
    stale = stream;
    stream.isSilent = true;
    stream.there.left = 200_000;
  };
  const id = await submitScript(near, counted(path, "cat"), { node: "far", payload });
  await eventually(async () => (await far.list())[id]?.Detail === "Waiting for Input Data");
  assert.equal(await digest(await readAll(near, id)), await digest(payload));
  const { RemoteUnitID } = (await near.status(id)).ExtraData as typeof unusedExtra;
  assert.notEqual(RemoteUnitID, id);
  assert.deepEqual(Object.keys(await far.list()), [RemoteUnitID]);
  stale!.there.end();
  await near.release(id, { ...auth, force: false });
  assert.deepEqual(await far.list(), {});
  assert.equal(await runs(path), 1);
});

Deno.test("a lost reply to the submit does not run the unit twice", async (t) => {
  // The greeting has 30 bytes, the reply to the submit line about 60, the last one about 50.
  for (const cut of [0, 10, 30, 35, 60, 90, 95, 100, 120, 140, 141]) {
    await t.step(`after ${cut} bytes`, async () => {
      // No faster: a busy machine needs some time to start what was submitted.
      await using pair = await startPair({ parts: { clock: fastClock(5) } });
      const { near, network, path } = pair;
      let first = true;
      network.onDial = (stream) => {
        if (first) stream.back.left = cut;
        first = false;
      };
      const id = await submitScript(near, counted(path, "cat"), { node: "far", payload: "x" });
      assert.equal(await readText(near, id), "x");
      assert.equal((await near.status(id)).StateName, "Succeeded");
      assert.equal(await runs(path), 1);
    });
  }
});

Deno.test("restarts of the submitter at any step run the unit once", async (t) => {
  for (let dial = 1; dial <= 6; dial++) {
    await t.step(`at dial ${dial}`, async () => {
      await using pair = await startPair({ parts: { clock: fastClock(50) } });
      const { network, path } = pair;
      const reached = Promise.withResolvers<void>();
      let dials = 0;
      network.onDial = (stream) => {
        if (++dials < dial) stream.back.left = 200;
        if (dials === dial) {
          stream.back.left = dial % 2 === 0 ? 20 : 1000;
          reached.resolve();
        }
      };
      const payload = randomBytes(200_000);
      const unit = await pair.near.submit({
        ...emptyRequest,
        node: "far",
        params: { params: quoted(counted(path, "cat")) },
      }, unixCaller);
      await unit.writePayload(payload);
      const started = unit.start();
      await reached.promise;
      await stopNode(network, "near", pair.near);
      await started;
      pair.near = await startNode(network, path, "near", { parts: { clock: fastClock(50) } });
      assert.equal(await digest(await readAll(pair.near, unit.unitId)), await digest(payload));
      assert.equal((await pair.near.status(unit.unitId)).StateName, "Succeeded");
      assert.equal(await runs(path), 1);
    });
  }
});

Deno.test("a submitter that shuts down in the middle of a payload starts nothing with a part of it", async () => {
  await using pair = await startPair({ parts: { clock: fastClock(50) } });
  const { far, network, path } = pair;
  const payload = randomBytes(5_000_000);
  const cut = Promise.withResolvers<void>();
  let first = true;
  network.onDial = ({ there }) => {
    if (!first) return;
    first = false;
    let left = 1_000_000;
    Object.defineProperty(there, "left", {
      get: () => Infinity,
      set: () => (left -= 64 * 1024) < 0 && cut.resolve(),
    });
  };
  const unit = await pair.near.submit({
    ...emptyRequest,
    node: "far",
    params: { params: quoted(counted(path, "cat")) },
  }, unixCaller);
  await unit.writePayload(payload);
  const started = unit.start();
  await cut.promise;
  await pair.near[Symbol.asyncDispose]();
  assert.equal(await started, "Job Submitted");
  const status = await completed(far, unit.unitId);
  assert.match(status.Detail, /^Error reading input data: /);
  assert.equal(await runs(path), 0);
  pair.near = await startNode(network, path, "near", { parts: { clock: fastClock(50) } });
  assert.equal(await digest(await readAll(pair.near, unit.unitId)), await digest(payload));
  assert.equal(await runs(path), 1);
});

Deno.test("a restart of the executing node in the middle of a job loses and repeats nothing", async () => {
  await using pair = await startPair({ parts: { clock: fastClock(10) } });
  const { near, network, path } = pair;
  const size = 3_000_000;
  const id = await submitScript(
    near,
    counted(path, `head -c ${size} /dev/zero; ${awaitGo(path)}; head -c ${size} /dev/zero`),
    { node: "far" },
  );
  await eventually(async () => (await near.status(id)).StdoutSize === size);
  await stopNode(network, "far", pair.far);
  await go(path);
  pair.far = await startNode(network, path, "far");
  const output = await readAll(near, id);
  assert.equal(output.length, 2 * size);
  assert.equal((await near.status(id)).StateName, "Succeeded");
  assert.equal(await runs(path), 1);
});

Deno.test("an executing node that stops before the payload is complete gets it again", async () => {
  await using pair = await startPair({ parts: { clock: fastClock(50) } });
  const { near, network, path } = pair;
  const payload = randomBytes(500_000);
  let first = true;
  network.onDial = (stream) => {
    if (first) stream.there.left = 100_000;
    first = false;
  };
  const started = submitScript(near, counted(path, "cat"), { node: "far", payload });
  await eventually(async () => Object.keys(await pair.far.list()).length === 1);
  await stopNode(network, "far", pair.far);
  pair.far = await startNode(network, path, "far");
  const id = await started;
  assert.equal(await digest(await readAll(near, id)), await digest(payload));
  assert.equal(await runs(path), 1);
});

Deno.test("a unit that its node took and lost before it ran is sent again", async () => {
  await using pair = await startPair({ parts: { clock: fastClock(50) } });
  const { near, far, network, path } = pair;
  const lost: string[] = [];
  const Detail = "Error reading input data: the node restarted before the job was started";
  network.serve("far", {
    ...serving(far),
    submit: async (request, caller) => {
      const unit = await far.submit(request, caller);
      if (lost.length > 0) return unit;
      lost.push(unit.unitId);
      return Object.assign(unit, { start: () => Promise.resolve("Job Started" as const) });
    },
    status: async (id) => {
      const status = await far.status(id);
      return lost.includes(id) ? { ...status, State: 3, StateName: "Failed", Detail } : status;
    },
    results: (id, request) =>
      lost.includes(id) ? Promise.resolve(nothing()) : far.results(id, request),
  });
  const id = await submitScript(near, counted(path, "cat"), { node: "far", payload: "x" });
  assert.equal(await readText(near, id), "x");
  assert.equal((await near.status(id)).StateName, "Succeeded");
  assert.equal(await runs(path), 1);
  assert.ok(!(lost[0]! in await far.list()));
});

Deno.test("an error that is not an answer of the remote node fails no unit", async () => {
  await using pair = await startPair({ parts: { clock: fastClock(50) } });
  const { near, network, path } = pair;
  let dials = 0;
  network.onDial = (stream) => {
    // Greeting, reply to the submit line, payload: something breaks in each place.
    const written = dials++ * 40;
    if (written < 160) stream.there.failAfter(written, new TypeError("a bug"));
  };
  const id = await submitScript(near, counted(path, "cat"), { node: "far", payload: "x" });
  assert.equal(await readText(near, id), "x");
  assert.equal((await near.status(id)).StateName, "Succeeded");
  assert.equal(await runs(path), 1);
});

Deno.test("a job that died with the executing node fails on both sides with the cause", async () => {
  await using pair = await startPair({ parts: { clock: fastClock(10) } });
  const { near, network, path } = pair;
  const id = await submitScript(near, "echo hi; sleep 100", { node: "far" });
  await running(near, id);
  await eventually(async () => (await near.status(id)).StdoutSize === 3);
  const { Pid } = (await pair.far.status(id)).ExtraData as { Pid: number };
  await stopNode(network, "far", pair.far);
  Deno.kill(-Pid, "SIGKILL");
  pair.far = await startNode(network, path, "far");
  const status = await completed(near, id);
  assert.equal(status.StateName, "Failed");
  assert.match(status.Detail, /^Job lost: its supervisor/);
  assert.equal(status.Detail, (await pair.far.status(id)).Detail);
  assert.equal(await readText(near, id), "hi\n");
});

Deno.test("output that was lost in a crash of the machine is fetched again", async () => {
  await using pair = await startPair();
  const { network, path } = pair;
  const id = await submit(pair.near, { node: "far", workType: "cat" }, "0123456789");
  await completed(pair.near, id);
  await stopNode(network, "near", pair.near);
  await Deno.truncate(`${path}/near/${id}/stdout`, 4);
  pair.near = await startNode(network, path, "near");
  assert.equal(await readText(pair.near, id), "0123456789");
  assert.equal((await completed(pair.near, id)).StateName, "Succeeded");
});

Deno.test("a unit whose output was removed on its node before it arrived fails and says so", async () => {
  await using pair = await startPair();
  const { near, far, network, path } = pair;
  const id = await submitScript(near, `printf abc; ${awaitGo(path)}`, { node: "far" });
  for (const work of [far, near]) {
    await eventually(async () => (await work.status(id)).StdoutSize === 3);
  }
  network.serve("far", undefined);
  await Deno.remove(`${path}/far/${id}/stdout`);
  await Deno.remove(`${path}/near/${id}/stdout`);
  network.serve("far", far);
  await go(path);
  const { Detail, StateName } = await ended(near, id);
  assert.equal(StateName, "Failed");
  assert.match(Detail, /^Job is complete, but the remote node has lost its output: exit status 0;/);
});

Deno.test("many units to one node at once all succeed", async () => {
  await using pair = await startPair();
  const { near } = pair;
  await Promise.all(Array.from({ length: 25 }, async (_, i) => {
    const id = await submit(near, { node: "far", workType: "cat" }, `payload ${i}`);
    assert.equal(await readText(near, id), `payload ${i}`);
    await near.release(id, { ...auth, force: false });
  }));
  assert.deepEqual(await near.list(), {});
  assert.deepEqual(await pair.far.list(), {});
});

/** All methods of `work` that a control service uses, for an object that overrides some of them. */
function serving(work: WorkService): WorkService {
  return {
    submit: (request, caller) => work.submit(request, caller),
    list: (id) => work.list(id),
    status: (id) => work.status(id),
    cancel: (id, auth) => work.cancel(id, auth),
    release: (id, auth) => work.release(id, auth),
    results: (id, request) => work.results(id, request),
  };
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

function randomBytes(size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  for (let start = 0; start < size; start += 65536) {
    crypto.getRandomValues(bytes.subarray(start, start + 65536));
  }
  return bytes;
}

async function digest(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}
