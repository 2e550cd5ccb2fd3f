/**
 * The original's Python client, every command of it: on a node of ours it prints and exits as it
 * does on a Go daemon.
 */
import assert from "node:assert/strict";
import { eventually } from "../support/eventually.ts";
import { type Mesh, meshTest } from "../support/mesh.ts";
import { randomBytes, sha256 } from "../support/payload.ts";
import { freePort } from "../support/ports.ts";
import { testEnvironment } from "../support/program.ts";
import { receptorctl, type ReceptorctlOptions } from "../support/receptorctl.ts";
import { clientCommand, type NodeKind } from "../support/peers.ts";
import type { TestNode } from "../support/test_node.ts";

const WORK_TYPES = [
  { "work-command": { worktype: "cat", command: "cat" } },
  { "work-command": { worktype: "echo", command: "echo", allowruntimeparams: true } },
  { "work-command": { worktype: "fail", command: "sh", params: "-c 'echo out; exit 3'" } },
  { "work-command": { worktype: "long", command: "sleep", params: "600" } },
];

/** Node foo, linked to node bar, both of one kind. */
async function pair(mesh: Mesh, kind: NodeKind): Promise<TestNode> {
  const port = freePort();
  const foo = await mesh.node({
    kind,
    id: "foo",
    actions: [{ "tcp-listener": { bindaddr: "127.0.0.1", port } }, ...WORK_TYPES],
  });
  const bar = await mesh.node({
    kind,
    id: "bar",
    actions: [{ "tcp-peer": { address: `127.0.0.1:${port}` } }, ...WORK_TYPES],
  });
  await Promise.all([foo.waitForRoute("bar"), bar.waitForRoute("foo")]);
  // Until its advertisement is there, `status` shows less.
  await eventually(async () => {
    const adverts = (await foo.status()).Advertisements as { NodeID: string }[] | null;
    return adverts?.some(({ NodeID }) => NodeID === "bar");
  }, { what: "the advertisement of bar" });
  await Deno.writeTextFile(`${foo.folder}/payload`, "from a file\n");
  return foo;
}

/** Times, unit ids and the like differ from run to run, folders and versions from node to node. */
function masked(text: string): string {
  return text
    .replace(/^Warning: receptorctl and receptor are different versions, .*\n/m, "")
    .replace(/[0-9.]+(ns|µs|ms|s)\b/g, "TIME")
    .replace(/"Time": \d+/g, "TIME")
    .replace(/\b(foo|bar)[A-Za-z0-9]{8}\b/g, "UNIT")
    .replace(/\d{4}-\d\d-\d\d[ T][0-9:.]+Z?/g, "DATE")
    .replace(/(Running: PID|'Pid':) \d+/g, "PID")
    .replace(/rt-[0-9a-z]+/g, "FOLDER")
    .replace(/\b\d+\.\d+\.\d+\S*/g, "VERSION");
}

function python(node: TestNode, line: string, options: Partial<ReceptorctlOptions> = {}) {
  return receptorctl(line.split(" "), {
    client: "python",
    socket: node.socket,
    cwd: node.folder,
    stdin: "typed in\n",
    ...options,
  });
}

const LINES = [
  "status",
  "ping bar --count 2 --delay 0.1",
  "ping nope --count 1",
  "traceroute bar",
  "traceroute nope",
  "version",
  "work list",
  "work list --node bar",
  "work list --node nope",
  "work list --unit_id nope",
  "work submit cat -l hello -f",
  "work submit cat -l hello",
  "work submit cat -l hello -f --rm",
  "work submit cat -n --node bar -f",
  "work submit cat -p payload -f",
  "work submit cat -p - -f --node bar",
  "work submit echo -n -f -a params=hello",
  "work submit echo -n -f --node bar -a params=hello",
  "work submit echo -n -f -a params=@payload",
  "work submit fail -n -f",
  "work submit fail -n -f --node bar",
  "work submit nope -n",
  "work submit cat",
  "work submit cat -n -l x",
  "work submit cat -n --rm",
  "work submit cat -n -a x=@/nope",
  "work submit cat -n -a node=x",
  "work submit cat -n -a params=x",
  "work submit cat -n --ttl 1s",
  "work submit cat -n --tls-client nope --node bar",
  "work results nope",
  "work cancel",
  "work cancel nope",
  "work release",
  "work release nope",
  "work release --force nope",
  "connect nope control",
  "nope",
  "work nope",
  // Last, since the Go daemon drops its links for it.
  "reload",
];

meshTest(
  "the Python client prints the same on our node as on a Go daemon, and exits alike",
  { kinds: ["ours", "go"] },
  async (mesh) => {
    const [ours, go] = await Promise.all([pair(mesh, "ours"), pair(mesh, "go")]);
    const shown = async (node: TestNode, line: string) => {
      const { code, stdout, stderr } = await python(node, line);
      const lines = masked(stdout).split("\n");
      // A Go daemon lists its advertisements in a new order each time.
      if (line === "status") lines.sort();
      return { line, code, lines, stderr: masked(stderr) };
    };
    const [status, goStatus] = await Promise.all([ours, go].map(async (node) => {
      const { Advertisements, Version: _, ...rest } = JSON.parse(
        (await python(node, "status --json")).stdout,
      );
      for (const advert of Advertisements) delete advert.Time;
      Advertisements.sort((a: { NodeID: string }, b: { NodeID: string }) =>
        a.NodeID < b.NodeID ? -1 : 1
      );
      return { ...rest, Advertisements };
    }));
    assert.deepEqual(status, goStatus);
    for (const line of LINES) {
      const [onOurs, onGo] = await Promise.all([shown(ours, line), shown(go, line)]);
      assert.deepEqual(onOurs, onGo);
    }
  },
);

meshTest(
  "the Python client starts, lists, reads, cancels and releases units on our nodes",
  { kinds: ["ours"], needs: ["RECEPTOR_PEERS"] },
  async (mesh) => {
    const foo = await pair(mesh, "ours");
    const run = async (line: string, options?: Partial<ReceptorctlOptions>) => {
      const result = await python(foo, line, options);
      assert.equal(result.code, 0, `${line}: ${result.stderr}`);
      return result;
    };
    const submitted = async (line: string) =>
      /^Unit ID: (.+)$/m.exec((await run(`work submit ${line}`)).stdout)![1]!;

    for (const node of ["foo", "bar"]) {
      const unit = await submitted(`long -n --node ${node}`);
      assert.equal((await run("work list -q")).stdout, `${unit}\n`);
      assert.match((await run(`work list --unit_id ${unit}`)).stdout, new RegExp(unit));
      assert.equal((await run(`work cancel ${unit}`)).stdout, `Cancelled:\n(${unit}, cancelled)\n`);
      assert.equal((await foo.waitForUnit(unit)).StateName, "Canceled");
      assert.equal((await run(`work results ${unit}`)).stdout, "");
      assert.equal((await run(`work release ${unit}`)).stdout, `Released:\n(${unit}, released)\n`);
    }
    const units = [await submitted("long -n"), await submitted("cat -l x --node bar")];
    assert.equal((await run(`work results ${units[1]}`)).stdout, "x\n");
    // On bar itself the second one is listed too.
    assert.equal((await run("work list -q --node bar")).stdout, `${units[1]}\n`);
    const forced = await run(`work release --force ${units[0]}`);
    assert.equal(forced.stdout, `Released:\n(${units[0]}, released)\n`);
    const all = await run("work release --all");
    assert.equal(all.stdout, `Released:\n(${units[1]}, released)\n`);
    assert.equal((await run("work list")).stdout, "{}\n");

    const payload = randomBytes(5_000_000);
    const echoed = await run("work submit cat -p - -f --rm --node bar", { stdin: payload });
    const { stdoutBytes } = echoed;
    assert.equal(sha256(stdoutBytes.subarray(0, payload.length)), sha256(payload));
    const said = new TextDecoder().decode(stdoutBytes.subarray(payload.length));
    assert.match(said, /^\n?\(foo[A-Za-z0-9]{8}, released\)\n$/);
    assert.deepEqual(await foo.json("work list"), {});
  },
);

/** Where our wording is plainer than the Go daemon's. */
const OWN_WORDS: [line: string, code: number, stderr: string][] = [
  [
    "work submit nope -n --node bar",
    101,
    "ERROR: Remote error: ERROR: error from remote: unknown work type nope\n",
  ],
  [
    "work submit cat -n --signwork --node bar",
    101,
    "ERROR: Failed to start work unit: cannot sign work: signing key is empty\n",
  ],
];

meshTest(
  "the Python client hands our refusals on",
  { kinds: ["ours"], needs: ["RECEPTOR_PEERS"] },
  async (mesh) => {
    const foo = await pair(mesh, "ours");
    for (const [line, code, stderr] of OWN_WORDS) {
      const result = await python(foo, line);
      assert.deepEqual([line, result.code, masked(result.stderr)], [line, code, stderr]);
    }
    // By its environment instead of --socket.
    const ping = await receptorctl(["ping", "bar", "--count", "1"], {
      client: "python",
      env: { RECEPTORCTL_SOCKET: foo.socket },
    });
    assert.equal(ping.code, 0, ping.stderr);
  },
);

meshTest(
  "the Python client connects a terminal to a far control service, through our nodes",
  { kinds: ["ours"], needs: ["RECEPTOR_PEERS"] },
  async (mesh) => {
    const foo = await pair(mesh, "ours");
    // It requires a terminal.
    const terminal = ["-c", "import pty, sys; pty.spawn(sys.argv[1:])"];
    const client = [
      ...clientCommand("python"),
      "--socket",
      foo.socket,
      "connect",
      "bar",
      "control",
    ];
    await using child = new Deno.Command("python3", {
      args: [...terminal, ...client],
      clearEnv: true,
      env: testEnvironment(),
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const keyboard = child.stdin.getWriter();
    let screen = "";
    const shown = async (text: RegExp, reader: ReadableStreamDefaultReader<string>) => {
      while (!text.test(screen)) {
        const { done, value } = await reader.read();
        if (done) throw new Error(`The client ended; its screen: ${screen}`);
        screen += value;
      }
    };
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    await shown(/Receptor Control, node bar\r\n/, reader);
    await keyboard.write(new TextEncoder().encode("ping foo\n"));
    await shown(/"From":"foo","Success":true|"Success":true,"From":"foo"/, reader);
    // Control-D.
    await keyboard.write(Uint8Array.of(4));
    while (!(await reader.read()).done);
    assert.equal((await child.status).code, 0);
    await keyboard.close().catch(() => {});
  },
);
