import assert from "node:assert/strict";
import { writeAll } from "../../lib/base/byte_conn.ts";
import { ReloadError } from "../../lib/control/reload_error.ts";
import { type TerminalFrame, TerminalFrameDecoder } from "../../lib/wire/terminal_frames.ts";
import { asMeshConn, FakeMesh } from "../control/fakes.ts";
import { bytes, MemoryConn, readText } from "../control/memory_conn.ts";
import { FakeNode } from "./fake_node.ts";
import { runMain, type RunOptions } from "./run_main.ts";

/** Runs a command against a node; the socket comes from the environment. */
function on(node: FakeNode) {
  return (line: string | readonly string[], options: RunOptions = {}) =>
    runMain(typeof line === "string" ? line.split(" ") : line, {
      ...options,
      environment: { RECEPTORCTL_SOCKET: node.socket, ...options.environment },
    });
}

const printed = (stdout: string) => ({ code: 0, stdout, stderr: "", raw: [] });
const failed = (code: number, message: string, stdout = "") => ({
  code,
  stdout,
  stderr: `ERROR: ${message}\n`,
  raw: [],
});

Deno.test("status prints the tables of the original's client", async () => {
  await using node = await FakeNode.start();
  assert.deepEqual(
    await on(node)("status"),
    printed(`Node ID: foo
Version: 1.6.9
System CPU Count: 2
System Memory MiB: 24105

Connection   Cost
bar          1

Known Node   Known Connections
bar          foo: 1${" "}
foo          bar: 1${" "}

Route        Via
bar          bar

Node         Service   Type       Last Seen             Tags
foo          control   Stream     2026-11-21 00:58:25   {'type': 'Control Service'}

Node         Work Types
foo          cat

Node         Secure Work Types
foo          signed
`),
  );
});

Deno.test("status --json prints sorted and indented JSON", async () => {
  await using node = await FakeNode.start();
  const { code, stdout } = await on(node)("status --json");
  assert.equal(code, 0);
  assert.match(stdout, /^\{\n {4}"Advertisements": \[\n {8}\{\n {12}"ConnType": 1,\n/);
  assert.equal(JSON.parse(stdout).NodeID, "foo");
});

Deno.test("status shows certificates close to expiry, in text and as JSON", async () => {
  await using node = await FakeNode.start({
    expiringCertificates: () => [{
      Kind: "tls-server",
      Name: "s",
      Cert: "/s.crt",
      Subject: "CN=foo",
      NotAfter: "2026-12-01T00:00:00Z",
    }],
  });
  assert.match(
    (await on(node)("status")).stdout,
    /\n\nCertificates close to expiry\n2026-12-01T00:00:00Z \/s\.crt \(tls-server s\)\n$/,
  );
  const { stdout } = await on(node)("status --json");
  assert.equal(JSON.parse(stdout).Certificates[0].Cert, "/s.crt");
});

Deno.test("ping prints each reply, and exits with 2 if one failed", async () => {
  await using node = await FakeNode.start();
  assert.deepEqual(
    await on(node)("ping foo --count 2 --delay 0"),
    printed("Reply from foo in 29.875µs\n".repeat(2)),
  );
  assert.deepEqual(
    await on(node)("ping --count=1 nope"),
    failed(2, "no route to node"),
  );
  assert.deepEqual(await on(node)("ping nope --count 1 --json"), {
    ...printed('{"Error":"no route to node","Success":false}\n'),
    code: 2,
  });
});

Deno.test("traceroute prints hops in order, failures apart", async () => {
  await using node = await FakeNode.start();
  assert.deepEqual(
    await on(node)("traceroute bar"),
    printed("0: foo in 113.532µs\n1: bar in 329.042µs\n"),
  );
  assert.deepEqual(await on(node)("traceroute nope"), {
    ...printed("0: foo in 113.532µs\n"),
    stderr: "ERROR: 1: Error no route to node from foo in 2.254µs\n",
  });
  const { stdout } = await on(node)("traceroute bar --json");
  assert.equal(JSON.parse(stdout)["1"].From, "bar");
});

Deno.test("reload exits with the code of what went wrong", async () => {
  for (
    const [error, code, message] of [
      [new ReloadError("changed", 3), 3, "changed ERRORCODE 3"],
      [new ReloadError("broken", 4), 4, "broken ERRORCODE 4"],
      [new Error("odd"), 5, "odd"],
    ] as const
  ) {
    await using node = await FakeNode.start({ reload: () => Promise.reject(error) });
    assert.deepEqual(await on(node)("reload"), failed(code, message));
  }
  await using node = await FakeNode.start({ reload: () => Promise.resolve() });
  assert.deepEqual(await on(node)("reload"), printed("Reload successful\n"));
});

Deno.test("version prints ours and the node's, and any command warns about an unknown one", async () => {
  await using node = await FakeNode.start();
  const { stdout, stderr } = await on(node)("version");
  assert.match(stdout, /^receptorctl {2}\d+\.\d+\.\d+\nreceptor {5}1\.6\.9\n$/);
  assert.equal(stderr, "");
  assert.match((await on(node)("version --json")).stdout, /"receptor": "1.6.9"/);
  const system = { version: "2.0.0", cpuCount: 1, memoryMiB: 1 };
  await using stranger = await FakeNode.start({ system });
  assert.equal(
    (await on(stranger)("ping foo --count 1")).stderr,
    "Warning: receptorctl and receptor are different versions, they may not be compatible\n",
  );
});

Deno.test("submit prints the unit, or follows it to its end", async () => {
  await using node = await FakeNode.start();
  assert.deepEqual(
    await on(node)("work submit cat -l hello"),
    printed("Result: Job Started\nUnit ID: foo00000001\n"),
  );
  assert.deepEqual(await on(node)("work submit cat -fl hello"), printed("hello\n"));
  assert.deepEqual(
    await on(node)("work submit -n cat --rm -f"),
    printed("(foo00000003, released)\n"),
  );
  assert.equal(
    (await on(node)("work submit cat -n --json")).stdout,
    '{\n    "result": "Job Started",\n    "unitid": "foo00000004"\n}\n',
  );
});

Deno.test("submit sends node, options, parameters and the words after the work type", async () => {
  await using node = await FakeNode.start();
  const file = node.folder.join("pod.yml");
  await Deno.writeTextFile(file, "---\npod: ä\n");
  await on(node)([
    ..."work submit --node bar --tls-client t --ttl 1h --signwork cat -n".split(" "),
    ...["-a", "params=--x", "-a", `pod=@${file}`, "-a", "literal=@@y", "-a", "empty=", "a b", "c"],
  ]);
  assert.deepEqual(node.work.units.get("foo00000001")!.request, {
    node: "bar",
    workType: "cat",
    tlsClient: "t",
    ttl: "1h",
    signWork: true,
    signature: "",
    workUnitId: "",
    params: { params: "--x a b c", pod: "---\npod: ä\n", literal: "@@y", empty: "" },
  });
});

Deno.test("submit takes its payload from a file or from standard input", async () => {
  await using node = await FakeNode.start();
  const file = node.folder.join("payload");
  await Deno.writeTextFile(file, "from a file");
  assert.deepEqual(await on(node)(`work submit cat -f -p ${file}`), printed("from a file"));
  const stdin = ["from ", "standard ", "input"].map(bytes);
  assert.deepEqual(
    await on(node)("work submit cat -f --payload -", { stdin }),
    printed("from standard input"),
  );
});

Deno.test("submit says what is wrong with its options", async () => {
  const usage = "Usage: receptorctl work submit [OPTIONS] WORKTYPE [CMDPARAMS]...\n" +
    "Try 'receptorctl work submit --help' for help.\n\n";
  const wrong = (code: number, message: string) => {
    const result = failed(code, message);
    return { ...result, stderr: usage + result.stderr };
  };
  await using node = await FakeNode.start();
  const run = on(node);
  assert.deepEqual(
    await run("work submit cat"),
    wrong(1, "Must provide one of --payload, --no-payload or --payload-literal."),
  );
  assert.deepEqual(
    await run("work submit cat -n -l x"),
    wrong(1, "Cannot provide more than one of --payload, --no-payload and --payload-literal."),
  );
  assert.match(
    (await run("work submit cat -p /nope")).stderr,
    /^ERROR: Failed to load payload file: .*'\/nope'\n$/,
  );
  assert.deepEqual(
    await run("work submit cat -n -a x"),
    wrong(101, "Parameter 'x' is not of the form key=value."),
  );
  assert.deepEqual(
    await run("work submit cat -n -a x=@/nope"),
    failed(101, "/nope does not exist"),
  );
  assert.deepEqual(
    await run("work submit cat -n -a node=x"),
    failed(101, "Duplicate or illegal parameter node"),
  );
  assert.deepEqual(
    await run("work submit nope -n"),
    failed(101, "Failed to start work unit: unknown work type nope"),
  );
  assert.equal(
    (await run("work submit cat -n --rm")).stderr,
    "Warning: using --rm without --follow. Unit results will never be seen.\n",
  );
});

Deno.test("results of a unit that failed end with its detail and exit code 1", async () => {
  await using node = await FakeNode.start();
  await on(node)("work submit cat -l out");
  const unit = node.work.units.get("foo00000001")!;
  unit.status = { ...unit.status, State: 3, StateName: "Failed", Detail: "exit status 3" };
  assert.deepEqual(
    await on(node)("work results foo00000001"),
    failed(1, "Remote unit failed: exit status 3\n", "out\n"),
  );
  assert.deepEqual(
    await on(node)("work results nope"),
    failed(1, "Failed to get results: unknown work unit nope"),
  );
});

Deno.test("only a unit that succeeded, with every byte, is a success", async () => {
  await using node = await FakeNode.start();
  await on(node)("work submit cat -l out");
  const unit = node.work.units.get("foo00000001")!;
  const succeeded = unit.status;
  for (
    const [change, message] of [
      [{ State: 4, StateName: "Canceled", Detail: "Killed" }, "Work unit was cancelled: Killed"],
      [
        { State: 1, StateName: "Running" },
        "Output was lost: the results ended while the unit was Running",
      ],
      [{ StdoutSize: 5 }, "Output was lost: the results ended after 4 of 5 bytes"],
    ] as const
  ) {
    unit.status = { ...succeeded, ...change };
    assert.deepEqual(
      await on(node)("work results foo00000001"),
      failed(1, `${message}\n`, "out\n"),
    );
  }
  unit.status = succeeded;
  assert.deepEqual(await on(node)("work results foo00000001"), printed("out\n"));
});

Deno.test("following a unit that somebody cancels is not a success", async () => {
  await using node = await FakeNode.start();
  node.work.output = async function* () {
    yield await Promise.resolve(bytes("part"));
    const unit = node.work.units.get("foo00000001")!;
    unit.status = { ...unit.status, State: 4, StateName: "Canceled", Detail: "Killed" };
  };
  assert.deepEqual(
    await on(node)("work submit cat -n -f"),
    failed(1, "Work unit was cancelled: Killed\n", "part"),
  );
});

Deno.test("list, cancel and release speak as the original's client", async () => {
  await using node = await FakeNode.start();
  const run = on(node);
  await run("work submit cat -n");
  await run("work submit cat -n");
  assert.deepEqual(await run("work list -q"), printed("foo00000001\nfoo00000002\n"));
  assert.deepEqual(
    await run("work list --unit_id foo00000001"),
    printed(`{
    "foo00000001": {
        "Detail": "exit status 0",
        "ExtraData": null,
        "State": 2,
        "StateName": "Succeeded",
        "StdoutSize": 0,
        "WorkType": "cat"
    }
}
`),
  );
  assert.deepEqual(
    await run("work cancel foo00000001 foo00000002"),
    printed("Cancelled:\n(foo00000001, cancelled)\n(foo00000002, cancelled)\n"),
  );
  assert.deepEqual(
    await run("work release nope foo00000001"),
    failed(1, "nope: ERROR: unknown work unit nope", "Released:\n"),
  );
  assert.deepEqual(
    await run("work release --all --force"),
    printed("Released:\n(foo00000001, released)\n(foo00000002, released)\n"),
  );
  assert.deepEqual(await run("work list"), printed("{}\n"));
  assert.deepEqual(await run("work cancel"), {
    ...printed(""),
    stderr: "Warning: No unit IDs supplied: Not doing anything\n",
  });
});

Deno.test("list --node asks the other node's control service", async () => {
  const mesh = new FakeMesh();
  const [near, far] = MemoryConn.pair();
  mesh.onDial = () => asMeshConn(near);
  await using node = await FakeNode.start({ mesh });
  await writeAll(far, bytes('Receptor Control, node bar\n{"barX":{}}\n'));
  assert.deepEqual(await on(node)("work list --node bar -q"), printed("barX\n"));
  await far.closeWrite();
  assert.equal(await readText(far), "work list\n");
});

Deno.test("connect passes on a pipe and its end, and the answer back", async () => {
  const mesh = new FakeMesh();
  const [near, far] = MemoryConn.pair();
  mesh.onDial = () => asMeshConn(near);
  await using node = await FakeNode.start({ mesh });
  const running = on(node)("connect bar echo", { stdin: [bytes("question")] });
  assert.equal(await readText(far), "question");
  await writeAll(far, bytes("answer"));
  await far.closeWrite();
  assert.deepEqual(await running, printed("answer"));
  assert.deepEqual(await on(node)("connect nope echo"), failed(1, "no route to node"));
});

Deno.test("connect --raw sets the terminal and resets it when the service ends", async () => {
  const mesh = new FakeMesh();
  const [near, far] = MemoryConn.pair();
  mesh.onDial = () => asMeshConn(near);
  await using node = await FakeNode.start({ mesh });
  await writeAll(far, bytes("bye"));
  await far.closeWrite();
  const result = await on(node)("connect --raw bar sh", { stdinIsTerminal: true });
  assert.deepEqual(result, { ...printed("bye\n"), raw: [true, false] });
});

Deno.test("connect --raw tells the size of its window, and what it becomes", async () => {
  const mesh = new FakeMesh();
  const [near, far] = MemoryConn.pair();
  const offers: unknown[] = [];
  mesh.onDial = (_service, options) => {
    offers.push(options?.offersWindow);
    return { ...asMeshConn(near), tellsWindow: true };
  };
  await using node = await FakeNode.start({ mesh });
  const sizes = [{ rows: 24, columns: 80 }, { rows: 24, columns: 80 }, { rows: 30, columns: 100 }];
  let resized = () => {};
  const running = on(node)("connect --raw bar sh", {
    stdinIsTerminal: true,
    environment: { TERM: "vt100" },
    stdin: [bytes("ls\r")],
    window: {
      size: () => sizes.length > 1 ? sizes.shift() : sizes[0],
      onResize(listener) {
        resized = listener;
        return { [Symbol.dispose]: () => resized = () => {} };
      },
    },
  });
  const decoder = new TerminalFrameDecoder();
  const frames: TerminalFrame[] = [];
  const next = async (count: number) => {
    const buffer = new Uint8Array(100);
    while (frames.length < count) {
      frames.push(...decoder.push(buffer.subarray(0, (await far.read(buffer))!)));
    }
  };
  await next(3);
  resized();
  await next(4);
  assert.deepEqual(frames, [
    { kind: "terminal", name: "vt100" },
    { kind: "window", rows: 24, columns: 80 },
    { kind: "typed", bytes: bytes("ls\r") },
    { kind: "window", rows: 30, columns: 100 },
  ]);
  await far.closeWrite();
  assert.deepEqual(await running, { ...printed("\n"), raw: [true, false] });
  assert.deepEqual(offers, [true]);
});

Deno.test("connect --raw sends plain bytes where nobody asks for a window", async () => {
  const mesh = new FakeMesh();
  const [near, far] = MemoryConn.pair();
  mesh.onDial = () => asMeshConn(near);
  await using node = await FakeNode.start({ mesh });
  const running = on(node)("connect --raw bar sh", {
    stdinIsTerminal: true,
    stdin: [bytes("ls\r")],
    window: { size: () => ({ rows: 24, columns: 80 }) },
  });
  const buffer = new Uint8Array(100);
  const count = await far.read(buffer);
  assert.deepEqual(buffer.slice(0, count!), bytes("ls\r"));
  await far.closeWrite();
  assert.equal((await running).code, 0);
});

Deno.test("errors are red on a terminal", async () => {
  await using node = await FakeNode.start();
  const { stderr } = await on(node)("work results nope", { terminal: true });
  assert.equal(
    stderr,
    "\x1b[31mERROR: Failed to get results: unknown work unit nope\x1b[0m\n",
  );
});

Deno.test("Ctrl-C ends a follow, still releases, and exits with 0", async () => {
  await using node = await FakeNode.start();
  node.work.output = async function* (signal) {
    yield bytes("first ");
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  };
  const interrupt = new AbortController();
  const result = await on(node)("work submit cat -n -f --rm", {
    interrupted: interrupt.signal,
    onOutput: () => interrupt.abort(new Error("interrupted")),
  });
  assert.deepEqual(result, {
    code: 0,
    stdout: "first (foo00000001, released)\n",
    stderr: "\n",
    raw: [],
  });
});
