/** Our receptorctl and the original's Python one say the same to the same node. */
import assert from "node:assert/strict";
import { FakeNode } from "../ctl/fake_node.ts";
import { type Mesh, meshTest } from "../support/mesh.ts";
import { randomBytes, sha256 } from "../support/payload.ts";
import { folderOf } from "../support/peers.ts";
import { freePort } from "../support/ports.ts";
import { receptorctl, type ReceptorctlOptions } from "../support/receptorctl.ts";
import type { TestNode } from "../support/test_node.ts";

/** Go node `foo` with work types, linked to Go node `bar`. */
async function goPair(mesh: Mesh): Promise<TestNode> {
  const port = freePort();
  const workTypes = [
    { "work-command": { worktype: "cat", command: "cat" } },
    { "work-command": { worktype: "fail", command: "sh", params: "-c 'echo out; exit 3'" } },
    { "work-command": { worktype: "long", command: "sleep", params: "600" } },
  ];
  const foo = await mesh.node({
    kind: "go",
    id: "foo",
    actions: [{ "tcp-listener": { bindaddr: "127.0.0.1", port } }, ...workTypes],
  });
  const bar = await mesh.node({
    kind: "go",
    id: "bar",
    actions: [{ "tcp-peer": { address: `127.0.0.1:${port}` } }, ...workTypes],
  });
  await Promise.all([foo.waitForRoute("bar"), bar.waitForRoute("foo")]);
  return foo;
}

/** Times, unit ids and sizes of memory differ from run to run. */
function masked(text: string): string {
  return text
    .replace(/[0-9.]+(ns|µs|ms|s)\b/g, "TIME")
    .replace(/\b(foo|bar)[A-Za-z0-9]{8}\b/g, "UNIT")
    .replace(/\d{4}-\d\d-\d\d[ T][0-9:.]+Z?/g, "DATE");
}

/** What ours prints before a usage error; the original swallows what its library would print. */
const OUR_USAGE = /^Usage: receptorctl .*\nTry 'receptorctl.* --help' for help\.\n\n/;

async function bothSay(args: string[], options: ReceptorctlOptions) {
  const python = await receptorctl(args, { ...options, client: "python" });
  const ours = await receptorctl(args, { ...options, client: "ours" });
  const shown = ({ code, stdout, stderr }: typeof ours) => ({
    args,
    code,
    stdout: masked(stdout),
    // The original's client prints `ERROR: ` twice before the reason why `connect` was refused.
    stderr: masked(stderr).replace("ERROR: ERROR: ", "ERROR: ").replace(OUR_USAGE, ""),
  });
  assert.deepEqual(shown(ours), shown(python));
  return ours;
}

meshTest(
  "both clients print the same, line by line, and exit alike",
  { kinds: ["go"] },
  async (mesh) => {
    const foo = await goPair(mesh);
    const options = { socket: foo.socket };
    const units = foo.folder;
    await Deno.writeTextFile(`${units}/payload`, "from a file\n");
    const lines = [
      "status",
      "status --json",
      "ping bar --count 2 --delay 0.1",
      "ping nope --count 1",
      "traceroute bar",
      "traceroute nope",
      "work list",
      "work list --node bar",
      "work list --node nope",
      "work list --unit_id nope",
      "work submit cat -l hello -f",
      "work submit cat -l hello",
      "work submit cat -l hello -f --rm",
      "work submit cat -n --node bar -f",
      `work submit cat -p ${units}/payload -f`,
      "work submit cat -p - -f --node bar",
      "work submit fail -n -f",
      "work submit nope -n",
      "work submit cat",
      "work submit cat -n -l x",
      "work submit cat -n --rm",
      "work submit cat -n -a x=@/nope",
      "work submit cat -n -a node=x",
      "work submit cat -n -a params=x",
      "work results nope",
      "work cancel",
      "work cancel nope",
      "work release",
      "work release nope",
      "work release --force nope",
      "ping a b",
      "ping foo --count x",
      "ping foo --count",
      "nope",
      "work nope",
      "--insecureskipverify maybe version",
      "-c x status",
      // Last, since the original drops its links for it.
      "reload",
    ];
    for (const line of lines) {
      await bothSay(line.split(" "), { ...options, stdin: "typed in\n" });
    }
  },
);

meshTest(
  "our client cancels, releases and lists on the original's node",
  { kinds: ["go"] },
  async (mesh) => {
    const foo = await goPair(mesh);
    const run = (line: string) => receptorctl(line.split(" "), { socket: foo.socket });
    for (const node of ["foo", "bar"]) {
      const submitted = await run(`work submit long -n --node ${node}`);
      const unitId = /^Unit ID: (.+)$/m.exec(submitted.stdout)![1]!;
      assert.match((await run("work list -q")).stdout, new RegExp(`^${unitId}$`, "m"));
      assert.deepEqual(
        (await run(`work cancel ${unitId}`)).stdout,
        `Cancelled:\n(${unitId}, cancelled)\n`,
      );
      assert.match(
        (await run(`work release ${unitId}`)).stdout,
        new RegExp(`^Released:\n\\(${unitId}, released\\)\n$`),
      );
    }
    assert.equal((await run("work list")).stdout, "{}\n");
    assert.equal((await run("work release --all")).stdout, "Released:\n");
  },
);

meshTest(
  "our client carries 50 MB through the original's node, byte for byte",
  { kinds: ["go"] },
  async (mesh) => {
    const foo = await goPair(mesh);
    const payload = randomBytes(50 * 1024 * 1024);
    const result = await receptorctl("work submit cat -p - -f".split(" "), {
      socket: foo.socket,
      stdin: payload,
    });
    assert.deepEqual([result.code, result.stderr], [0, ""]);
    assert.equal(sha256(result.stdoutBytes), sha256(payload));
  },
);

meshTest(
  "our client connects a pipe to the original's control service",
  { kinds: ["go"] },
  async (mesh) => {
    const foo = await goPair(mesh);
    const result = await receptorctl(["connect", "bar", "control"], {
      socket: foo.socket,
      stdin: "status x\nfoo\n",
    });
    assert.deepEqual([result.code, result.stderr], [0, ""]);
    assert.equal(
      result.stdout,
      "Receptor Control, node bar\nERROR: status command does not take parameters\n" +
        "ERROR: Unknown command, foo\n",
    );
  },
);

const noPython = folderOf("RECEPTOR_PEERS") === undefined;
Deno.test({
  name: `both clients print the same of our control service${
    noPython ? " (skipped: RECEPTOR_PEERS not set)" : ""
  }`,
  ignore: noPython,
  async fn() {
    const lines = [
      "status",
      "status --json",
      "ping foo --count 1",
      "ping nope --count 1",
      "traceroute bar",
      "traceroute nope",
      "reload",
      "work submit cat -l hello -f",
      "work submit cat -p - -f",
      "work submit cat -n",
      "work submit cat -n -f --rm",
      "work submit nope -n",
      "work list",
      "work list -q",
      "work list --unit_id foo00000001",
      "work results foo00000001",
      "work results nope",
      "work cancel foo00000001",
      "work release foo00000001",
      "work release --all",
      "connect nope control",
    ];
    // Each client has its own node, since units are counted.
    await using pythonNode = await FakeNode.start({ reload: () => Promise.resolve() });
    await using ourNode = await FakeNode.start({ reload: () => Promise.resolve() });
    for (const line of lines) {
      const args = line.split(" ");
      const stdin = "typed in\n";
      const python = await receptorctl(args, {
        client: "python",
        socket: pythonNode.socket,
        stdin,
      });
      const ours = await receptorctl(args, { socket: ourNode.socket, stdin });
      // The original's client prints `ERROR: ` twice before the reason why `connect` was refused.
      const stderr = python.stderr.replace("ERROR: ERROR: ", "ERROR: ");
      assert.deepEqual(
        { line, code: ours.code, stdout: ours.stdout, stderr: ours.stderr },
        { line, code: python.code, stdout: python.stdout, stderr },
      );
    }
  },
});
