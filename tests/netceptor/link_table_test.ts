import { deepEqual, equal } from "node:assert/strict";
import type { Session } from "../../lib/backends/backend.ts";
import { MemoryBackend, memorySessionPair } from "../../lib/backends/memory.ts";
import { systemClock } from "../../lib/base/clock.ts";
import { silentLog } from "../../lib/base/log.ts";
import { systemRandom } from "../../lib/base/random.ts";
import { MAX_LINKS_PER_HOST, MAX_UNIDENTIFIED_LINKS } from "../../lib/netceptor/limits.ts";
import { Netceptor } from "../../lib/netceptor/netceptor.ts";
import { frameOf } from "../../lib/wire/frame.ts";
import { encodeRouteMessage } from "../../lib/wire/route_message.ts";
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

Deno.test("one address has no more links than its part", async () => {
  await using mesh = new SimMesh();
  const { connect, links } = nodeWithListener(mesh);
  for (let index = 0; index < MAX_LINKS_PER_HOST; index++) {
    await introduce(connect("192.0.2.1"), `n${index}`);
  }
  await settle();
  equal(links().length, MAX_LINKS_PER_HOST);
  const refused = connect("192.0.2.1");
  await introduce(refused, "refused");
  await introduce(connect("198.51.100.1"), "honest");
  await introduce(connect(), "dialled");
  await settle();
  deepEqual(links().slice(MAX_LINKS_PER_HOST), ["honest", "dialled"]);
  equal(await isClosed(refused), true);
});

Deno.test("a neighbour that sends without end does not keep timers waiting", async () => {
  const backend = new MemoryBackend();
  await using netceptor = new Netceptor(
    { log: silentLog, clock: systemClock, random: systemRandom },
    { nodeId: VICTIM },
  );
  netceptor.addBackend(backend, DEFAULT_POLICY);
  const nonsense = Array.from({ length: 1000 }, () => Uint8Array.of(255));
  let batches = 0;
  let timerFired = false;
  setTimeout(() => timerFired = true);
  const over = Promise.withResolvers<void>();
  backend.offer({
    description: "endless",
    // There is always more, and never a wait for it.
    receive() {
      if (!timerFired && ++batches < 20_000) return Promise.resolve(nonsense);
      over.resolve();
      return Promise.resolve(null);
    },
    send: () => Promise.resolve(),
    close() {},
  });
  await over.promise;
  equal(timerFired, true);
});
