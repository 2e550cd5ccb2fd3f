import assert from "node:assert/strict";
import { writeAll } from "../../lib/base/byte_conn.ts";
import { ControlClient, ControlProtocolError } from "../../lib/control/client.ts";
import { ControlError } from "../../lib/control/control_error.ts";
import type { ControlDeps } from "../../lib/control/command.ts";
import { asMeshConn, FakeMesh, FakeWork } from "./fakes.ts";
import { bytes, MemoryConn, readText } from "./memory_conn.ts";
import { connectClient } from "./session.ts";

async function clientOf(deps: Partial<ControlDeps> = {}) {
  const { conn, served } = connectClient(deps);
  return { client: await ControlClient.connect(conn), served };
}

/** A client whose server says just this. */
async function scripted(...texts: string[]): Promise<ControlClient> {
  const [conn, far] = MemoryConn.pair();
  await writeAll(far, bytes(`Receptor Control, node far\n${texts.join("")}`));
  await far.closeWrite();
  return await ControlClient.connect(conn);
}

Deno.test("client knows the node and sends several commands over one connection", async () => {
  const { client, served } = await clientOf();
  assert.equal(client.node, "foo");
  assert.equal((await client.command("status")).NodeID, "foo");
  await assert.rejects(
    client.command("work status nope"),
    new ControlError("unknown work unit nope"),
  );
  const reply = await client.command({ command: "ping", target: "foo" });
  assert.equal(reply.TimeStr, "29.875µs");
  client.close();
  client.close();
  await served;
});

Deno.test("client submits a payload and reads the results back", async () => {
  const work = new FakeWork();
  const { client, served } = await clientOf({ work });
  const created: string[] = [];
  const reply = await client.submit(
    { node: "localhost", workType: "cat", params: { params: "x" } },
    [bytes("hello "), bytes("world")],
    { onCreated: (unitId) => void created.push(unitId) },
  );
  assert.deepEqual(reply, { unitId: "foo00000001", result: "Job Started" });
  assert.deepEqual(created, ["foo00000001"]);
  await served;

  const second = await clientOf({ work });
  const stream = await second.client.results("foo00000001", 6);
  assert.equal(await readText(stream), "world");
  stream.close();
  await second.served;
});

Deno.test("client sends only the given fields of a submission", async () => {
  const work = new FakeWork();
  const { client, served } = await clientOf({ work });
  const request = {
    node: "bar",
    workType: "cat",
    tlsClient: "t",
    ttl: "1h",
    signWork: true,
    signature: "jwt",
    workUnitId: "barX",
    params: { a: "b" },
  };
  await client.submit(request, []);
  await served;
  assert.deepEqual(work.units.get("barX")!.request, request);
});

Deno.test("client refuses a parameter that would replace a field", async () => {
  const { client, served } = await clientOf();
  await assert.rejects(
    client.submit({ node: "foo", workType: "cat", params: { node: "bar" } }, []),
    /Duplicate or illegal parameter node/,
  );
  await served;
});

Deno.test("client throws the server's refusal of a submission, and closes", async () => {
  const { client, served } = await clientOf();
  await assert.rejects(
    client.submit({ node: "foo", workType: "nope" }, []),
    new ControlError("unknown work type nope"),
  );
  await served;
});

Deno.test("client continues as a client of another node through connect", async () => {
  const mesh = new FakeMesh();
  const [near, far] = MemoryConn.pair();
  mesh.onDial = () => asMeshConn(near);
  const { client, served } = await clientOf({ mesh });
  await writeAll(far, bytes('Receptor Control, node bar\n{"far":true}\n'));
  await client.connectControl("bar");
  assert.equal(client.node, "bar");
  assert.deepEqual(await client.command("work list"), { far: true });
  client.close();
  assert.equal(await readText(far), "work list\n");
  await far.closeWrite();
  await served;
});

Deno.test("client refuses a huge reply of another node through connect", async () => {
  const mesh = new FakeMesh();
  const [near, far] = MemoryConn.pair();
  mesh.onDial = () => asMeshConn(near);
  const { client, served } = await clientOf({ mesh });
  await writeAll(far, bytes("Receptor Control, node bar\n"));
  await client.connectControl("bar");
  const reply = writeAll(far, bytes("x".repeat(9 * 1024 * 1024))).catch(() => {});
  await assert.rejects(client.command("work list"), /line is longer than 8388608 bytes/);
  client.close();
  far.close();
  await reply;
  await served;
});

Deno.test("client rejects what is not a control service", async () => {
  const [conn, far] = MemoryConn.pair();
  await writeAll(far, bytes("SSH-2.0-OpenSSH\r\n"));
  await assert.rejects(ControlClient.connect(conn), /expected the greeting.*SSH-2\.0/);
  assert.ok(conn.isClosed);
  const [silent, silentFar] = MemoryConn.pair();
  await silentFar.closeWrite();
  await assert.rejects(ControlClient.connect(silent), /without a greeting/);
});

Deno.test("client quotes what is not a reply", async () => {
  await assert.rejects((await scripted("oops\n")).command("x"), ControlProtocolError);
  await assert.rejects((await scripted("[1]\n")).command("x"), /JSON object/);
  await assert.rejects((await scripted()).command("x"), /without a reply/);
  await assert.rejects((await scripted('{"a":')).command("x"), /middle of a line/);
  await assert.rejects((await scripted("hello\n")).results("u", 0), /expected the start/);
});

Deno.test("client never sends a second line in one command", async () => {
  const { client, served } = await clientOf();
  await assert.rejects(client.command("status\nstatus"), TypeError);
  client.close();
  await served;
});

Deno.test("aborting a command rejects with the reason and closes the connection", async () => {
  const [conn, far] = MemoryConn.pair();
  await writeAll(far, bytes("Receptor Control, node far\n"));
  const client = await ControlClient.connect(conn);
  const abort = new AbortController();
  const reason = new Error("enough");
  const waiting = client.command("status", { signal: abort.signal });
  abort.abort(reason);
  await assert.rejects(waiting, reason);
  assert.ok(conn.isClosed);
});

Deno.test("aborting a submission does not wait for its payload", async () => {
  const { client, served } = await clientOf();
  const abort = new AbortController();
  const endless = async function* () {
    yield await new Promise<Uint8Array>(() => {});
  };
  const submitting = client.submit({ node: "foo", workType: "cat" }, endless(), {
    signal: abort.signal,
    onCreated: () => abort.abort(new Error("enough")),
  });
  await assert.rejects(submitting, /enough/);
  await served;
});

Deno.test("client refuses a reply over its bound", async () => {
  const [near, far] = MemoryConn.pair();
  await writeAll(far, bytes(`Receptor Control, node foo\n{"a":"${"x".repeat(10_000)}"}\n`));
  using client = await ControlClient.connect(near, { maxReplyBytes: 5_000 });
  await assert.rejects(client.command("status"), /line is longer than 5000 bytes/);
});
