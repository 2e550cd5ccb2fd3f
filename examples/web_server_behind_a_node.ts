/**
 * The services of a configuration, started by a program: a web server that only one node can reach,
 * used through a TCP port of another node.
 *
 *     deno run -A examples/web_server_behind_a_node.ts
 */
// deno-lint-ignore-file no-console -- it is a program
import {
  MemoryBackend,
  memorySessionPair,
  MeshEntrance,
  meshExit,
  Netceptor,
  silentLog as log,
  StreamService,
  systemClock as clock,
  systemRandom as random,
  TcpEntrance,
  tcpExit,
} from "../mod.ts";

const deps = { log, clock, random };
const policy = { cost: 1, nodeCost: {} };

await using near = new Netceptor(deps, { nodeId: "near" });
await using far = new Netceptor(deps, { nodeId: "far" });
// A link in memory, since both are in this process.
const sessions = memorySessionPair(["near", "far"]);
for (const [index, node] of [near, far].entries()) {
  const backend = new MemoryBackend();
  backend.offer(sessions[index]!);
  node.addBackend(backend, policy);
}

await using webServer = Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen() {} },
  (request) => new Response(`You asked for ${new URL(request.url).pathname}\n`),
);

// What `tcp-client` does: from a service of the mesh to a TCP address.
const toWebServer = new StreamService({
  log,
  clock,
  entrance: await MeshEntrance.open(far, "web", {}),
  exit: tcpExit(`127.0.0.1:${webServer.addr.port}`, undefined),
}, "to the web server");

// What `tcp-server` does: from a TCP port to a service of the mesh.
const door = new TcpEntrance(deps, { bindAddress: "127.0.0.1", port: 0 });
const fromPort = new StreamService({
  log,
  clock,
  entrance: door,
  exit: meshExit(near, { node: "far", service: "web" }),
}, "from the port");

const stop = new AbortController();
const running = [toWebServer, fromPort].map((service) => service.run(stop.signal));

const response = await fetch(`http://127.0.0.1:${door.port}/hello`);
console.log((await response.text()).trimEnd());

stop.abort();
await Promise.all(running);
