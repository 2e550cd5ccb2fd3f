/** Commands on terminals of real daemons. */
import assert from "node:assert/strict";
import {
  RemoteTerminal,
  shellService,
  workWithShell,
} from "../services/_terminals_through_daemons.ts";
import { ALL_SURVIVORS, SURVIVORS, survivorsIn } from "../services/_survivors.ts";
import { eventually } from "../support/eventually.ts";
import { type Mesh, meshTest } from "../support/mesh.ts";
import { isRunning } from "../support/processes.ts";
import type { Action } from "../support/test_node.ts";

const kinds = ["ours"] as const;

for (const tls of [false, true]) {
  meshTest(
    `a user works with a shell at another node${tls ? ", over TLS" : ""}`,
    { kinds },
    (mesh) => workWithShell(mesh, { near: "ours", far: "ours", tls }),
  );
}

/** Two nodes, and process ids of what the user has started at the second one. */
async function withProcesses(mesh: Mesh) {
  const { nodes: [near, far], links: [link] } = await mesh.line(["ours", "ours"], (id) => ({
    actions: id === "n2" ? [shellService()] : [],
  }));
  const terminal = await RemoteTerminal.open(near!, "n2 shell");
  await terminal.shows(/prompt> $/);
  const script = (await mesh.folder()).join("script");
  await Deno.writeTextFile(script, SURVIVORS);
  await terminal.type(`. ${script}\n`);
  await terminal.shows(ALL_SURVIVORS);
  const pids = survivorsIn(terminal.text);
  const gone = () =>
    eventually(() => !pids.some(isRunning), { what: `the end of processes ${pids}` });
  const [user, service] = [near!, far!];
  return { user, service, link: link!, gone, [Symbol.dispose]: () => terminal[Symbol.dispose]() };
}

meshTest("processes on a terminal end when the user leaves", { kinds }, async (mesh) => {
  const processes = await withProcesses(mesh);
  processes[Symbol.dispose]();
  await processes.gone();
});

meshTest("processes on a terminal end when the user's node is killed", { kinds }, async (mesh) => {
  using processes = await withProcesses(mesh);
  await processes.user.kill();
  await processes.gone();
});

meshTest("processes on a terminal end when the link is cut for good", { kinds }, async (mesh) => {
  using processes = await withProcesses(mesh);
  processes.link.cut();
  await processes.gone();
});

meshTest("processes on a terminal end when their node is killed", { kinds }, async (mesh) => {
  using processes = await withProcesses(mesh);
  await processes.service.kill();
  await processes.gone();
});

meshTest("processes on a terminal end when their node stops", { kinds }, async (mesh) => {
  using processes = await withProcesses(mesh);
  await processes.service.stop();
  await processes.gone();
});

meshTest("a reload changes one command and leaves the others alone", { kinds }, async (mesh) => {
  const service = (name: string, command: string): Action => ({
    "command-service": { service: name, command },
  });
  const node = await mesh.node({
    kind: "ours",
    id: "node",
    actions: [service("kept", "cat"), service("changed", "cat"), service("removed", "cat")],
  });
  const open = async (name: string) => {
    const terminal = await RemoteTerminal.open(node, `node ${name}`);
    await terminal.type(`${name}\n`);
    await terminal.shows(new RegExp(`${name}\n${name}\n`));
    return terminal;
  };
  using kept = await open("kept");
  using changed = await open("changed");
  using removed = await open("removed");
  await node.configure([
    service("kept", "cat"),
    service("changed", "sh -c 'echo new; exec cat'"),
    service("added", "cat"),
  ]);
  assert.deepEqual(await node.json("reload"), { Success: true });
  await node.waitForLog(/services started 2, stopped 2, unchanged 1/);
  await Promise.all([changed.ends(), removed.ends()]);
  await kept.type("still here\n");
  await kept.shows(/still here\nstill here\n/);
  using anew = await RemoteTerminal.open(node, "node changed");
  await anew.shows(/^new\n/);
  using _added = await open("added");

  // A command line that makes no sense leaves everything as it is.
  await node.configure([service("kept", "sh -c '")]);
  const { Success, Error: reason } = await node.json("reload");
  assert.equal(Success, false);
  assert.match(String(reason), /command-service: EOF found when expecting closing quote/);
  await kept.type("and still\n");
  await kept.shows(/and still\nand still\n/);
});

meshTest("a command service is advertised as the original does", { kinds }, async (mesh) => {
  const { nodes: [near] } = await mesh.line(["ours", "ours"], (id) => ({
    actions: id === "n2" ? [shellService()] : [],
  }));
  await eventually(async () => {
    const { Advertisements } = await near!.status();
    const found = Advertisements?.find(({ Service }) => Service === "shell");
    if (found === undefined) return false;
    assert.deepEqual([found.ConnType, found.Tags], [1, { type: "Command Service" }]);
    return true;
  }, { what: "the advertisement" });
});
