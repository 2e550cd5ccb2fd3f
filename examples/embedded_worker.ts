/**
 * A worker embedded in a program: a node that offers a type of work to the mesh, and another one
 * that has it done.
 *
 *     deno run -A examples/embedded_worker.ts
 */
// deno-lint-ignore-file no-console -- it is a program
import {
  commandWork,
  ControlClient,
  ControlServer,
  loadUnregistered,
  MemoryBackend,
  memorySessionPair,
  meshCaller,
  Netceptor,
  serveConnections,
  silentLog as log,
  systemClock as clock,
  systemRandom as random,
  Workceptor,
} from "../mod.ts";

const deps = { log, clock, random };
const policy = { cost: 1, nodeCost: {} };

// The worker keeps its units in a folder, and finds them again when it is started again.
const dataDir = await Deno.makeTempDir();
await using worker = new Netceptor(deps, { nodeId: "worker" });
await using work = new Workceptor({ ...deps, loadUnregistered }, { nodeId: "worker", dataDir });
work.registerWorkType(
  "shout",
  commandWork({ command: "tr", params: "a-z A-Z" }, { searchPath: "/bin:/usr/bin" }),
);
await work.start();
worker.advertiseWorkTypes(work.workTypes());

// Its control service takes units from the mesh.
const server = new ControlServer({
  mesh: worker,
  system: { version: "1.0.0", cpuCount: 1, memoryMiB: 1024 },
  work,
  clock,
  log,
});
const stop = new AbortController();
const control = await worker.listen("control", {
  advertise: { tags: { type: "Control Service" } },
});
const serving = serveConnections(server, control, meshCaller, stop.signal);

// Somebody else in the mesh.
await using asker = new Netceptor(deps, { nodeId: "asker" });
const sessions = memorySessionPair(["worker", "asker"]);
for (const [index, node] of [worker, asker].entries()) {
  const backend = new MemoryBackend();
  backend.offer(sessions[index]!);
  node.addBackend(backend, policy);
}

async function connect(): Promise<ControlClient> {
  return await ControlClient.connect(await asker.dial("worker", "control"));
}

const submitting = await connect();
const payload = [new TextEncoder().encode("hello from the mesh\n")];
const { unitId } = await submitting.submit({ node: "worker", workType: "shout" }, payload);

const results = await (await connect()).results(unitId, 0);
const decoder = new TextDecoder();
let output = "";
const buffer = new Uint8Array(1024);
for (let count; (count = await results.read(buffer)) !== null;) {
  output += decoder.decode(buffer.subarray(0, count), { stream: true });
}
results.close();
console.log(`${unitId.length} characters name the unit; its output: ${output.trimEnd()}`);

{
  using client = await connect();
  console.log(`released: ${(await client.command(`work release ${unitId}`)).released === unitId}`);
}
stop.abort();
await control[Symbol.asyncDispose]();
await serving;
await Deno.remove(dataDir, { recursive: true });
