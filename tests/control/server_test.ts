import assert from "node:assert/strict";
import { writeAll } from "../../lib/base/byte_conn.ts";
import { type Caller, UnitState } from "../../lib/control/work_service.ts";
import { ReloadError, ReloadErrorCode } from "../../lib/control/reload_error.ts";
import { ControlServer } from "../../lib/control/server.ts";
import { VirtualClock } from "../sim/virtual_clock.ts";
import { asMeshConn, fakeDeps, FakeMesh, FakeWork } from "./fakes.ts";
import { bytes, MemoryConn, readText } from "./memory_conn.ts";
import { connectClient, exchange, localCaller } from "./session.ts";
import { transcripts } from "./transcripts.ts";

Deno.test("server answers each command as the original does, byte for byte", async () => {
  for (const [sent, reply] of transcripts) {
    assert.equal(await exchange(sent), reply, JSON.stringify(sent));
  }
});

Deno.test("server answers a line that is not a JSON command with one line", async () => {
  for (
    const [sent, refusal] of [
      ["{}", "JSON did not contain a command"],
      ['{"command":5}', "command must be a string"],
      ['{"command":null}', "command must be a string"],
      ['{"COMMAND":"ping"}', "JSON did not contain a command"],
      ["{", "command is not valid JSON: "],
      ['{"command":"status"} x', "command is not valid JSON: "],
      ['{"a":"\\x"}', "command is not valid JSON: "],
      ['{"a":'.repeat(900), "command is not valid JSON: "],
    ] as const
  ) {
    const reply = await exchange(`${sent}\n`);
    assert.ok(reply.startsWith(`ERROR: ${refusal}`), reply);
    assert.equal(reply.indexOf("\n"), reply.length - 1, reply);
  }
});

Deno.test("server greets with the node's id and closes after the client's half-close", async () => {
  const { conn, served } = connectClient();
  await conn.closeWrite();
  assert.equal(await readText(conn), "Receptor Control, node foo\n");
  await served;
});

Deno.test("status prints all fields in the original's order", async () => {
  const expected = '{"Advertisements":[{"NodeID":"foo","Service":"control",' +
    '"Time":"2026-11-21T00:58:25.18882392Z","ConnType":1,"Tags":{"type":"Control Service"},' +
    '"WorkCommands":[{"WorkType":"cat","Secure":false},{"WorkType":"signed","Secure":true}]}],' +
    '"Connections":[{"NodeID":"bar","Cost":1}],"KnownConnectionCosts":{"bar":{"foo":1},' +
    '"foo":{"bar":1}},"NodeID":"foo","RoutingTable":{"bar":"bar"},"SystemCPUCount":2,' +
    '"SystemMemoryMiB":24105,"Version":"1.6.9"}\n';
  assert.equal(await exchange("status\n"), expected);
  assert.equal(await exchange('{"command":"status"}\n'), expected);
});

Deno.test("status shows certificates close to expiry only if asked by name", async () => {
  const expiring = [{
    Kind: "tls-server",
    Name: "s",
    Cert: "/s.crt",
    Subject: "CN=foo",
    NotAfter: "2026-12-01T00:00:00Z",
  }];
  const deps = { expiringCertificates: () => expiring };
  const certificates = '{"command":"status","requested_fields":["Certificates","NodeID"]}\n';
  assert.doesNotMatch(await exchange("status\n", deps), /Certificates/);
  assert.doesNotMatch(await exchange('{"command":"status"}\n', deps), /Certificates/);
  assert.deepEqual(JSON.parse(await exchange(certificates, deps)), {
    NodeID: "foo",
    Certificates: expiring,
  });
  assert.equal(await exchange(certificates), '{"NodeID":"foo","Certificates":[]}\n');
});

Deno.test("status refuses requested_fields of a wrong type, which stops the original", async () => {
  for (const wrong of ["null", "5", '"NodeID"', "{}"]) {
    assert.equal(
      await exchange(`{"command":"status","requested_fields":${wrong}}\n`),
      "ERROR: requested_fields must be a list of strings\n",
    );
  }
});

Deno.test("ping and traceroute print times as the original does", async () => {
  const self = '{"From":"foo","Success":true,"Time":29875,"TimeStr":"29.875µs"}\n';
  assert.equal(await exchange("ping foo\n"), self);
  assert.equal(await exchange('{"command":"ping","target":"localhost"}\n'), self);
  assert.equal(
    await exchange("traceroute bar\n"),
    '{"0":{"From":"foo","Time":113532,"TimeStr":"113.532µs"},' +
      '"1":{"From":"bar","Time":329042,"TimeStr":"329.042µs"}}\n',
  );
  assert.equal(
    await exchange('{"command":"traceroute","target":"nope"}\n'),
    '{"0":{"From":"foo","Time":113532,"TimeStr":"113.532µs"},' +
      '"1":{"Error":"no route to node","From":"foo","Time":2254,"TimeStr":"2.254µs"}}\n',
  );
});

Deno.test("a ping that nobody answers also gets a reply", async () => {
  assert.equal(await exchange("ping silent\n"), '{"Error":"timeout","Success":false}\n');
});

Deno.test("reload reports success, codes, and a node without a file", async () => {
  const failing = (error: Error) => ({ reload: () => Promise.reject(error) });
  assert.equal(await exchange("reload x\n", { reload: async () => {} }), '{"Success":true}\n');
  assert.equal(
    await exchange("reload\n", failing(new ReloadError("changed", ReloadErrorCode.NotReloadable))),
    '{"Error":"changed ERRORCODE 3","Success":false}\n',
  );
  assert.equal(
    await exchange("reload\n", failing(new Error("odd"))),
    '{"Error":"odd","Success":false}\n',
  );
  assert.equal(
    await exchange('{"command":"reload"}\n'),
    '{"Error":"no configuration file was provided, reload function not set ERRORCODE 4",' +
      '"Success":false}\n',
  );
});

Deno.test("work is an unknown command on a node without work", async () => {
  assert.equal(
    await exchange("work list\n", { work: undefined }),
    "ERROR: Unknown command, work\n",
  );
});

Deno.test("submit in words joins the parameters and takes the payload up to the half-close", async () => {
  const work = new FakeWork();
  assert.equal(
    await exchange("work submit localhost cat a  b\nstatus\nhello", { work }),
    "Work unit created with ID foo00000001. Send stdin data and EOF.\n" +
      '{"result":"Job Started","unitid":"foo00000001"}\n',
  );
  const unit = work.units.get("foo00000001")!;
  assert.equal(new TextDecoder().decode(unit.output), "status\nhello");
  assert.deepEqual(unit.request.params, { params: "a  b" });
});

Deno.test("submit in JSON keeps every field that it does not know as a parameter", async () => {
  const work = new FakeWork();
  const command = {
    command: "work",
    subcommand: "submit",
    node: "bar",
    worktype: "cat",
    tlsclient: "t",
    ttl: "20s",
    signwork: "true",
    signature: "jwt",
    workUnitID: "barAbc123",
    params: "--x",
    ["__proto__"]: "p",
    constructor: "c",
  };
  assert.equal(
    await exchange(`${JSON.stringify(command)}\n`, { work }),
    "Work unit created with ID barAbc123. Send stdin data and EOF.\n" +
      '{"result":"Job Submitted","unitid":"barAbc123"}\n',
  );
  const { request } = work.units.get("barAbc123")!;
  assert.deepEqual(Object.entries(request.params), [
    ["params", "--x"],
    ["__proto__", "p"],
    ["constructor", "c"],
  ]);
  assert.deepEqual({ ...request, params: undefined }, {
    node: "bar",
    workType: "cat",
    tlsClient: "t",
    ttl: "20s",
    signWork: true,
    signature: "jwt",
    workUnitId: "barAbc123",
    params: undefined,
  });
});

Deno.test("submit abandons the unit when the client disconnects", async () => {
  const work = new FakeWork();
  const [conn, serverEnd] = MemoryConn.pair();
  let reads = 0;
  const resetAfterFirstRead = Object.assign(Object.create(serverEnd), {
    read: (into: Uint8Array) =>
      ++reads === 1
        ? serverEnd.read(into)
        : Promise.reject(new Deno.errors.ConnectionReset("reset by peer")),
    write: (some: Uint8Array) => serverEnd.write(some),
    closeWrite: () => serverEnd.closeWrite(),
    close: () => serverEnd.close(),
  });
  await writeAll(conn, bytes("work submit foo cat\npart"));
  await new ControlServer(fakeDeps({ work }))
    .serve(resetAfterFirstRead, localCaller, new AbortController().signal);
  assert.equal(work.units.get("foo00000001")!.abandoned, "Error reading input data: reset by peer");
});

Deno.test("a payload that cannot be kept ends the session, as the rest is not a command", async () => {
  const work = new FakeWork();
  const submit = work.submit.bind(work);
  work.submit = async (request) => ({
    ...await submit(request),
    writePayload: () => Promise.reject(new Error("no space left on device")),
  });
  assert.equal(
    await exchange("work submit foo cat\nstatus\nstatus\n", { work }),
    "Work unit created with ID foo00000001. Send stdin data and EOF.\n" +
      "ERROR: no space left on device\n",
  );
  assert.match(work.units.get("foo00000001")!.abandoned!, /no space left/);
});

Deno.test("list, status, cancel and release answer in the original's forms", async () => {
  const work = new FakeWork();
  const status = (size: number) =>
    '{"Detail":"exit status 0","ExtraData":null,"State":2,"StateName":"Succeeded",' +
    `"StdoutSize":${size},"WorkType":"cat"}`;
  assert.equal(await exchange("work list\n", { work }), "{}\n");
  await exchange("work submit foo cat\nhi", { work });
  await exchange("work submit away cat\n", { work });
  assert.equal(
    await exchange("work list\n", { work }),
    `{"foo00000001":${status(2)},"foo00000002":${status(0)}}\n`,
  );
  assert.equal(
    await exchange('{"command":"work","subcommand":"list","unitid":5}\n', { work }),
    `{"foo00000001":${status(2)},"foo00000002":${status(0)}}\n`,
  );
  assert.equal(
    await exchange("work list foo00000001\n", { work }),
    `{"foo00000001":${status(2)}}\n`,
  );
  assert.equal(await exchange("work status foo00000001\n", { work }), `${status(2)}\n`);
  assert.equal(
    await exchange(
      "work cancel foo00000001\nwork release foo00000001\nwork status foo00000001\n",
      { work },
    ),
    '{"cancelled":"foo00000001"}\n{"released":"foo00000001"}\n' +
      "ERROR: unknown work unit foo00000001\n",
  );
  assert.equal(
    await exchange("work release foo00000002\nwork force-release foo00000002\n", { work }),
    '{"release pending":"foo00000002"}\n{"released":"foo00000002"}\n',
  );
});

Deno.test("signatures and the caller reach the work service", async () => {
  const work = new FakeWork();
  await exchange("work submit foo cat\nhi", { work });
  const caller: Caller = { via: "mesh", secure: true, description: "bar:x" };
  const { conn, served } = connectClient({ work }, caller);
  const command = { command: "work", unitid: "foo00000001", signature: "jwt" };
  for (const subcommand of ["cancel", "results"]) {
    await writeAll(conn, bytes(`${JSON.stringify({ ...command, subcommand, startpos: 0 })}\n`));
  }
  await conn.closeWrite();
  await readText(conn);
  await served;
  assert.deepEqual(
    work.authorizations.map(({ caller, signature }) => ({ caller, signature })),
    [{ caller, signature: "jwt" }, { caller, signature: "jwt" }],
  );
});

Deno.test("results stream from the start position, and the stream's end ends the session", async () => {
  const work = new FakeWork();
  await exchange("work submit foo cat\nhello world", { work });
  const streamed = (rest: string) => `Streaming results for work unit foo00000001\n${rest}`;
  for (
    const [command, rest] of [
      ["work results foo00000001", "hello world"],
      ["work results foo00000001 6", "world"],
      ["work results foo00000001 +006", "world"],
      ["work results foo00000001 600", ""],
      [
        '{"command":"work","subcommand":"results","unitid":"foo00000001","startpos":2.9}',
        "llo world",
      ],
      [
        '{"command":"work","subcommand":"results","unitid":"foo00000001","startpos":"2"}',
        "llo world",
      ],
    ] as const
  ) {
    assert.equal(await exchange(`${command}\n`, { work }), streamed(rest), command);
  }
});

Deno.test("a client on a socket has some time to end its side last", async () => {
  const work = new FakeWork();
  await exchange("work submit foo cat\nhello", { work });
  for (const end of [(conn: MemoryConn) => conn.closeWrite(), undefined]) {
    const clock = new VirtualClock();
    const [conn, serverEnd] = MemoryConn.pair();
    const served = new ControlServer(fakeDeps({ work, clock }))
      .serve(serverEnd, localCaller, new AbortController().signal);
    await writeAll(conn, bytes("work results foo00000001\n"));
    // A close now could reset the connection, and a slow client would lose output.
    assert.match(await readText(conn), /hello$/);
    await clock.until(() => clock.pending === 1, 100);
    assert.ok(!serverEnd.isClosed);
    await (end === undefined ? clock.advance(5_000) : end(conn));
    await served;
    assert.equal(clock.pending, 0);
    conn.close();
  }
});

Deno.test("results refuse a start position that is negative or not a number", async () => {
  assert.equal(
    await exchange("work results foo -3\n"),
    "ERROR: start position must not be negative, got -3\n",
  );
  for (const [value, shown] of [["true", "true"], ["null", "null"], ['{"a":1}', '{"a":1}']]) {
    assert.equal(
      await exchange(
        `{"command":"work","subcommand":"results","unitid":"nope","startpos":${value}}\n`,
      ),
      `ERROR: field startpos value ${shown} is not convertible to an int\n`,
    );
  }
});

Deno.test("a client's half-close does not end a results stream", async () => {
  const work = new FakeWork();
  await exchange("work submit foo cat\n", { work });
  const more = Promise.withResolvers<void>();
  work.output = async function* () {
    yield bytes("first ");
    await more.promise;
    yield bytes("second");
  };
  const { conn, served } = connectClient({ work });
  await writeAll(conn, bytes("work results foo00000001\n"));
  await conn.closeWrite();
  let reply = "";
  const buffer = new Uint8Array(4096);
  while (!reply.endsWith("first ")) {
    reply += new TextDecoder().decode(buffer.subarray(0, (await conn.read(buffer))!));
  }
  more.resolve();
  assert.equal(await readText(conn), "second");
  await served;
});

Deno.test("a results stream ends when its client has gone, though the job is silent", async () => {
  const work = new FakeWork();
  await exchange("work submit foo cat\n", { work });
  let ended = false;
  work.output = async function* (signal) {
    yield bytes("first");
    await new Promise<void>((resolve) =>
      signal.addEventListener("abort", () => resolve(), { once: true })
    );
    ended = true;
  };
  const clock = new VirtualClock();
  const { conn, served } = connectClient({ work, clock });
  await writeAll(conn, bytes("work results foo00000001\n"));
  const buffer = new Uint8Array(4096);
  for (let reply = ""; !reply.endsWith("first");) {
    reply += new TextDecoder().decode(buffer.subarray(0, (await conn.read(buffer))!));
  }
  conn.close();
  await clock.until(() => clock.pending === 1, 100);
  await clock.advance(10_000);
  await served;
  assert.ok(ended);
});

Deno.test("a results stream over the mesh ends with its connection", async () => {
  const work = new FakeWork();
  await exchange("work submit foo cat\n", { work });
  work.output = async function* (signal) {
    yield bytes("first");
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  };
  const [conn, serverEnd] = MemoryConn.pair();
  const over = Promise.withResolvers<Error | undefined>();
  const meshConn = { ...asMeshConn(serverEnd), closed: over.promise };
  const served = new ControlServer(fakeDeps({ work }))
    .serve(meshConn, localCaller, new AbortController().signal);
  await writeAll(conn, bytes("work results foo00000001\n"));
  await conn.closeWrite();
  const buffer = new Uint8Array(4096);
  for (let reply = ""; !reply.endsWith("first");) {
    reply += new TextDecoder().decode(buffer.subarray(0, (await conn.read(buffer))!));
  }
  over.resolve(new Error("timed out"));
  assert.equal(await readText(conn), "");
  await served;
});

Deno.test("a client that never reads its results makes the job's reader wait", async () => {
  const work = new FakeWork();
  await exchange("work submit foo cat\n", { work });
  let produced = 0;
  work.output = async function* (signal) {
    const chunk = new Uint8Array(64 * 1024);
    while (!signal.aborted) {
      produced += chunk.length;
      yield await Promise.resolve(chunk);
    }
  };
  const { conn, served, stop } = connectClient({ work });
  await writeAll(conn, bytes("work results foo00000001\n"));
  // Another client is served meanwhile.
  assert.match(await exchange("work list\n", { work }), /^\{"foo00000001"/);
  for (let before = -1; before !== produced;) {
    before = produced;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.ok(produced <= 4 * 64 * 1024, `${produced} bytes in flight`);
  stop.abort();
  await served;
  conn.close();
});

Deno.test("connect bridges both ways and keeps the half-close", async () => {
  const mesh = new FakeMesh();
  const [near, far] = MemoryConn.pair();
  mesh.onDial = () => asMeshConn(near);
  const { conn, served } = connectClient({ mesh });
  await writeAll(conn, bytes("connect bar echo\nping"));
  await conn.closeWrite();
  assert.equal(await readText(far), "ping");
  await writeAll(far, bytes("pong"));
  await far.closeWrite();
  assert.equal(await readText(conn), "Receptor Control, node foo\nConnecting\npong");
  await served;
  assert.ok(near.isClosed);
});

Deno.test("a name with a line break does not break the reply's line", async () => {
  assert.equal(
    await exchange('{"command":"a\\nERROR: b"}\n'),
    "ERROR: Unknown command, a ERROR: b\n",
  );
});

Deno.test("an unexpected failure is reported to the client and the log", async () => {
  const work = new FakeWork();
  work.list = () => Promise.reject(new Error("disk on fire"));
  const warnings: string[] = [];
  const log = {
    error() {},
    warning: (message: string) => void warnings.push(message),
    info() {},
    debug() {},
  };
  assert.equal(await exchange("work list\n", { work, log }), "ERROR: disk on fire\n");
  assert.deepEqual(warnings, ["Control command failed: disk on fire"]);
});

Deno.test("aborting the server ends its sessions", async () => {
  const { conn, served, stop } = connectClient();
  stop.abort();
  await served;
  await readText(conn);
  conn.close();
});

Deno.test("states have the original's numbers", () => {
  assert.deepEqual(UnitState, { Pending: 0, Running: 1, Succeeded: 2, Failed: 3, Canceled: 4 });
});
