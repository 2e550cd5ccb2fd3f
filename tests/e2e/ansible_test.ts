/**
 * The real thing on a real payload: `ansible-runner transmit | receptorctl work submit |
 * ansible-runner process`, with the playbook run on another node, as AWX does it. RECEPTOR_ANSIBLE
 * names a Python environment (bin/ansible-runner, bin/ansible-playbook).
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { eventually } from "../support/eventually.ts";
import { type Mesh, meshTest } from "../support/mesh.ts";
import { clientCommand, type ClientKind, folderOf, type NodeKind } from "../support/peers.ts";
import { isRunning, markedProcesses } from "../support/processes.ts";
import { testEnvironment } from "../support/program.ts";

const INPUT = fileURLToPath(new URL("./ansible", import.meta.url));
/** Python is slow to start, twice at both ends, and more so on a busy machine. */
const TIMEOUT_MS = 300_000;

const LINES: { kinds: NodeKind[]; client: ClientKind }[] = [
  { kinds: ["ours", "ours"], client: "ours" },
  { kinds: ["ours", "go", "ours"], client: "ours" },
  { kinds: ["go", "ours", "go"], client: "python" },
];

for (const { kinds, client } of LINES) {
  meshTest(
    `ansible-runner works from end to end of ${kinds.join(" - ")}, by the ${client} client`,
    {
      kinds,
      needs: client === "python" ? ["RECEPTOR_ANSIBLE", "RECEPTOR_PEERS"] : ["RECEPTOR_ANSIBLE"],
      timeoutMs: TIMEOUT_MS,
    },
    (mesh) => playOverTheMesh(mesh, kinds, client),
  );
}

async function playOverTheMesh(mesh: Mesh, kinds: NodeKind[], client: ClientKind): Promise<void> {
  const { folder, input, env, work } = await prepare(mesh);
  const output = folder.join("output");
  const { nodes } = await mesh.line(
    kinds,
    (_id, index) => index === kinds.length - 1 ? { actions: [work], env } : {},
  );
  const [near, far] = [nodes[0]!, nodes.at(-1)!];

  const target = folder.join("written");
  const pipeline = [
    `ansible-runner transmit ${input} -p play.yml --cmdline '-e target=${target}'`,
    `${clientCommand(client).join(" ")} --socket ${near.socket} ` +
    `work submit ansible-runner --node ${far.id} -p - -f`,
    `ansible-runner process ${output}`,
  ].join(" | ");
  const { code, stdout, stderr } = await new Deno.Command("bash", {
    args: ["-c", `set -o pipefail; ${pipeline}`],
    cwd: folder.path,
    clearEnv: true,
    env: testEnvironment(env),
    stdin: "null",
  }).output();
  const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);

  assert.equal(code, 0, said);
  assert.match(said, /the file changed on here/);
  assert.match(said, /here\s+: ok=\d+ +changed=1 +unreachable=0 +failed=0/);
  assert.equal(await readArtifact(output, "status"), "successful");
  assert.equal(await readArtifact(output, "rc"), "0");
  const written = await Deno.readTextFile(target);
  assert.equal(written, `red\ngreen\nblue\n${far.folder}\n`, "the far node's daemon did the work");
  const [unit] = Object.keys(await near.json("work list"));
  assert.equal((await near.waitForUnit(unit!)).StateName, "Succeeded");
  assert.deepEqual(await near.json(`work release ${unit}`), { released: unit });
}

meshTest(
  "a cancelled ansible-runner leaves no process behind, nor does one that a later daemon cancels",
  { kinds: ["ours"], needs: ["RECEPTOR_ANSIBLE"], timeoutMs: TIMEOUT_MS },
  async (mesh) => {
    const { folder, input, env, work } = await prepare(mesh);
    const target = folder.join("pid");
    const transmit = new Deno.Command("ansible-runner", {
      args: ["transmit", input, "-p", "sleep.yml", "--cmdline", `-e target=${target}`],
      cwd: folder.path,
      clearEnv: true,
      env: testEnvironment(env),
    });
    const { stdout: payload } = await transmit.output();
    const node = await mesh.node({ kind: "ours", id: "solo", actions: [work], env });
    for (const restart of [false, true]) {
      const unit = await node.submit({ node: "solo", worktype: "ansible-runner", payload });
      const sleeping = await eventually(
        () => Deno.readTextFile(target).then(Number, () => undefined),
        { what: "the playbook's task", timeoutMs: TIMEOUT_MS },
      );
      await Deno.remove(target);
      assert.ok(isRunning(sleeping));
      if (restart) await node.restart();
      await node.json(`work cancel ${unit}`);
      const { StateName, Detail } = await node.waitForUnit(unit);
      assert.deepEqual([StateName, Detail], ["Canceled", "Canceled"]);
      assert.ok(!isRunning(sleeping), "the task still runs");
      const left = markedProcesses(node.folder).filter((pid) => pid !== node.pid && isRunning(pid));
      assert.deepEqual(left, []);
    }
  },
);

/** ansible-runner as a work type, its playbook folder, and the environment that it needs. */
async function prepare(mesh: Mesh) {
  const bin = join(folderOf("RECEPTOR_ANSIBLE")!, "bin");
  const folder = await mesh.folder();
  const input = folder.join("input");
  // ansible-runner writes into its input folder.
  await copyFolder(INPUT, input);
  const env = {
    PATH: `${bin}:${Deno.env.get("PATH")}`,
    HOME: folder.path,
    ANSIBLE_LOCAL_TEMP: folder.join("ansible"),
    ANSIBLE_REMOTE_TEMP: folder.join("ansible"),
  };
  const work = {
    "work-command": {
      worktype: "ansible-runner",
      command: join(bin, "ansible-runner"),
      params: `worker --private-data-dir=${folder.join("worker")}`,
    },
  };
  return { folder, input, env, work };
}

/** One of the files that ansible-runner brought back. */
async function readArtifact(output: string, name: string): Promise<string> {
  return (await Deno.readTextFile(join(output, "artifacts", name))).trim();
}

async function copyFolder(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copyFolder(join(from, name), join(to, name));
    else await Deno.copyFile(join(from, name), join(to, name));
  }
}
