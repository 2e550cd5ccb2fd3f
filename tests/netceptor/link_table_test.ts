import { deepEqual, equal } from "node:assert/strict";
import { MemoryBackend, memorySessionPair, type Session } from "../../lib/backends/mod.ts";
import { MAX_UNIDENTIFIED_LINKS } from "../../lib/netceptor/limits.ts";
import { encodeRouteMessage, frameOf } from "../../lib/wire/mod.ts";
import { DEFAULT_POLICY, SimMesh } from "../sim/sim_mesh.ts";
import { settle } from "../sim/virtual_clock.ts";

const VICTIM = "victim";

/** A node with one listener, at which a test connects from where it likes. */
function nodeWithListener(mesh: SimMesh) {
  const { netceptor } = mesh.add(VICTIM);
  const backend = new MemoryBackend();
  netceptor.addBackend(backend, DEFAULT_POLICY);
  const connect = (acceptedFrom?: string): Session => {
    const [ours, theirs] = memorySessionPair();
    backend.offer(Object.assign(theirs, { acceptedFrom }));
    return ours;
  };
  const links = () => netceptor.status(["Connections"]).Connections.map(({ NodeID }) => NodeID);
  return { netceptor, connect, links };
}

function introduce(session: Session, nodeId: string): Promise<void> {
  return session.send(frameOf(encodeRouteMessage({
    nodeId,
    updateId: nodeId.slice(0, 64),
    epoch: 1n,
    sequence: 1n,
    connections: new Map(),
    forwardingNode: nodeId,
    suspectedDuplicate: 0n,
  })));
}

/** Whether the node has closed its end. */
async function isClosed(session: Session): Promise<boolean> {
  await settle();
  let ended = false;
  const reading = (async () => {
    while (await session.receive() !== null);
    ended = true;
  })();
  void reading;
  await settle();
  return ended;
}

Deno.test("silent strangers make room for a newer one, those of the busiest address first", async () => {
  await using mesh = new SimMesh();
  const { netceptor, connect, links } = nodeWithListener(mesh);
  const honest = connect("198.51.100.1");
  const dialled = connect();
  const strangers = Array.from(
    { length: MAX_UNIDENTIFIED_LINKS + 1 },
    () => connect("192.0.2.1"),
  );
  const late = connect("198.51.100.2");
  for (const [index, session] of [honest, dialled, late].entries()) {
    await introduce(session, `honest${index}`);
  }
  await settle();
  deepEqual(links().sort(), ["honest0", "honest1", "honest2"]);
  equal(await isClosed(strangers[0]!), true);
  equal(await isClosed(strangers.at(-1)!), false);
  const dropped = netceptor.dropped["connection closed before its set-up: there were too many"];
  equal(dropped, 3);
});

Deno.test("links under invented names make room for one from another address", async () => {
  await using mesh = new SimMesh();
  const { connect, links } = nodeWithListener(mesh);
  const name = (index: number | string) => `${index}`.padEnd(200, "x");
  let invented = 0;
  // Until there is no room for more.
  for (; links().length === invented; invented++) {
    await introduce(connect("192.0.2.1"), name(invented));
    await settle();
  }
  const full = links().length;
  equal(links().includes(name(full)), false);
  await introduce(connect("198.51.100.1"), name("honest"));
  await introduce(connect(), name("dialled"));
  await settle();
  deepEqual(links().slice(-2), [name("honest"), name("dialled")]);
  equal(links().includes(name(0)), false);
  equal(links().includes(name(1)), false);
  equal(links().includes(name(2)), true);
});
