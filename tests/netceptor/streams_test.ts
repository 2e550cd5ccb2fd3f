import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { type ByteConn, writeAll } from "../../lib/base/byte_conn.ts";
import { memorySessionPair } from "../../lib/backends/memory.ts";
import type { MeshConn, MeshListener } from "../../lib/netceptor/mesh.ts";
import { insecureClientTls } from "../../lib/quic/insecure_tls.ts";
import type { ClientTls } from "../../lib/quic/tls.ts";
import { loadCore } from "../../lib/quic/load_core.ts";
import { encodeUnreachable } from "../../lib/wire/unreachable.ts";
import { seededRandom } from "../sim/seeded_random.ts";
import { inTime, SimMesh, type SimNode } from "../sim/sim_mesh.ts";

// Virtual time goes on while the core is loaded, which must not count as waiting for a peer.
await import("../../lib/quic/endpoint.ts");
await loadCore();

const encoder = new TextEncoder();

async function readAll(conn: ByteConn): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const buffer = new Uint8Array(64 * 1024);
  for (;;) {
    const count = await conn.read(buffer);
    if (count === null) return new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
    parts.push(buffer.slice(0, count));
  }
}

/** Answers each stream with what it sent, once it has sent everything. */
async function serveEcho(listener: MeshListener): Promise<void> {
  for await (const conn of listener) {
    void (async () => {
      await writeAll(conn, await readAll(conn));
      await conn.closeWrite();
      conn.close();
    })().catch(() => {});
  }
}

async function exchange(conn: MeshConn, bytes: Uint8Array): Promise<Uint8Array> {
  const [answer] = await Promise.all([
    readAll(conn),
    writeAll(conn, bytes).then(() => conn.closeWrite()),
  ]);
  conn.close();
  return answer;
}

async function line(mesh: SimMesh, count: number): Promise<SimNode[]> {
  const nodes = mesh.addAll(count, Array.from({ length: count - 1 }, (_, i) => [i, i + 1]));
  await mesh.converge();
  return nodes;
}

Deno.test("a stream carries bytes both ways, with half-close, over two hops", async () => {
  await using mesh = new SimMesh();
  const [near, , far] = await line(mesh, 3);
  await using listener = await far!.netceptor.listen("echo");
  const serving = serveEcho(listener);
  const payload = new Uint8Array(2_000_000).map((_, i) => i * 7);
  const answer = await inTime(
    mesh.clock,
    (async () => {
      const conn = await near!.netceptor.dial("n2", "echo");
      deepEqual([conn.remoteNode, conn.remoteService, conn.secure], ["n2", "echo", false]);
      const answer = await exchange(conn, payload);
      equal(await conn.closed, undefined);
      return answer;
    })(),
  );
  ok(Buffer.from(answer).equals(payload));
  await listener[Symbol.asyncDispose]();
  await serving;
});

Deno.test("a listener knows the node that dialled", async () => {
  await using mesh = new SimMesh();
  const [near, far] = await line(mesh, 2);
  await using listener = await far!.netceptor.listen("who");
  const dialled = near!.netceptor.dial("n1", "who");
  const accepted = inTime(mesh.clock, listener[Symbol.asyncIterator]().next());
  const conn = (await accepted).value as MeshConn;
  equal(conn.remoteNode, "n0");
  equal(conn.remoteService.length, 8);
  (await inTime(mesh.clock, dialled)).close();
  conn.close();
});

Deno.test("a node dials itself by its id and as localhost", async () => {
  await using mesh = new SimMesh();
  const { netceptor } = mesh.add("alone");
  await using listener = await netceptor.listen("echo");
  void serveEcho(listener);
  for (const name of ["alone", "localhost", "LocalHost"]) {
    const answer = await inTime(
      mesh.clock,
      netceptor.dial(name, "echo").then((conn) => exchange(conn, encoder.encode(name))),
    );
    equal(new TextDecoder().decode(answer), name);
  }
});

Deno.test("dial fails at once when there is no route or no such service", async () => {
  await using mesh = new SimMesh();
  const [near] = await line(mesh, 2);
  const { netceptor } = near!;
  // Routes may be on their way before.
  await mesh.clock.advance(3_000);
  await rejects(netceptor.dial("nowhere", "echo"), { message: "no route to node" });
  await rejects(netceptor.dial("n1", "toolongname"), /too long/);
  const start = mesh.clock.now();
  for (const node of ["n1", "n0"]) {
    await rejects(inTime(mesh.clock, netceptor.dial(node, "nosuch")), {
      message: "service unknown",
    });
  }
  ok(mesh.clock.now() - start < 1000);
});

Deno.test("dial gives up when its signal aborts", async () => {
  await using mesh = new SimMesh();
  const [near, far] = await line(mesh, 2);
  using _port = far!.netceptor.openDatagramPort("silent", {});
  const reason = new Error("changed my mind");
  await rejects(
    near!.netceptor.dial("n1", "silent", { signal: AbortSignal.abort(reason) }),
    reason,
  );
  const abort = new AbortController();
  const dialled = inTime(
    mesh.clock,
    near!.netceptor.dial("n1", "silent", { signal: abort.signal }),
  );
  abort.abort(reason);
  await rejects(dialled, reason);
});

Deno.test("a dial that nobody answers ends after 15 s", async () => {
  await using mesh = new SimMesh();
  const [near, far] = await line(mesh, 2);
  using _port = far!.netceptor.openDatagramPort("silent", {});
  const start = mesh.clock.now();
  await rejects(inTime(mesh.clock, near!.netceptor.dial("n1", "silent")), /timed out/);
  ok(mesh.clock.now() - start < 20_000);
});

Deno.test("many streams at once are all accepted", async () => {
  await using mesh = new SimMesh();
  const [near, far] = await line(mesh, 2);
  await using listener = await far!.netceptor.listen("echo");
  const serving = serveEcho(listener);
  const answers = Array.from({ length: 200 }, async (_, i) => {
    const conn = await near!.netceptor.dial("n1", "echo");
    const answer = await exchange(conn, encoder.encode(`${i}`));
    equal(new TextDecoder().decode(answer), `${i}`);
  });
  await inTime(mesh.clock, Promise.all(answers));
  await listener[Symbol.asyncDispose]();
  await serving;
});

Deno.test("a firewall that rejects a dial ends it at once", async () => {
  await using mesh = new SimMesh();
  const near = mesh.add("near");
  const far = mesh.add("far", {
    firewallRules: [{ action: "reject", tonode: "far", toservice: "/con.*/" }],
  });
  mesh.link(near, far);
  await mesh.converge();
  await using _listener = await far.netceptor.listen("control");
  const start = mesh.clock.now();
  await rejects(inTime(mesh.clock, near.netceptor.dial("far", "control")), {
    message: "blocked by firewall",
  });
  ok(mesh.clock.now() - start < 1000);
});

Deno.test("no notice ends a stream that is up, nor a dial from a service that it does not name", async () => {
  await using mesh = new SimMesh();
  const [near, hub, far, evil] = ["near", "hub", "far", "evil"].map((id) => mesh.add(id));
  mesh.link(near!, hub!);
  mesh.link(hub!, far!);
  mesh.link(hub!, evil!);
  await mesh.converge();
  /** A stream from `near`, and the service that it comes from. */
  const dial = async (by: SimNode) => {
    await using listener = await by.netceptor.listen("once");
    const accepted = listener[Symbol.asyncIterator]().next();
    const conn = await inTime(mesh.clock, near!.netceptor.dial(by.netceptor.nodeId, "once"));
    const { remoteService } = (await inTime(mesh.clock, accepted)).value as MeshConn;
    conn.close();
    return remoteService;
  };
  const bait = await dial(evil!);
  await using listener = await far!.netceptor.listen("echo");
  const accepted = listener[Symbol.asyncIterator]().next();
  const conn = await inTime(mesh.clock, near!.netceptor.dial("far", "echo"));
  const other = (await inTime(mesh.clock, accepted)).value as MeshConn;
  ok(other.remoteService !== bait);

  const lie = (by: SimNode, fromService: string, toService: string) => {
    using port = by.netceptor.openDatagramPort("", {});
    for (const problem of ["blocked by firewall", "service unknown"]) {
      const notice = { fromNode: "near", toNode: "far", fromService, toService, problem };
      port.send("near", "unreach", encodeUnreachable(notice));
    }
  };
  for (const by of [evil!, far!]) lie(by, other.remoteService, "echo");
  await mesh.clock.advance(100);
  await conn.write(encoder.encode("up"));
  equal(await inTime(mesh.clock, other.read(new Uint8Array(10))), 2);

  // From a node that was dialled and is behind the same neighbour, and under the dialled one's name.
  await using _next = await far!.netceptor.listen("next");
  const dialling = near!.netceptor.dial("far", "next");
  for (const by of [evil!, far!]) lie(by, bait, "next");
  (await inTime(mesh.clock, dialling)).close();
  conn.close();
  other.close();
});

Deno.test("a listener that closes ends its streams and frees its name", async () => {
  await using mesh = new SimMesh();
  const [near, far] = await line(mesh, 2);
  const listener = await far!.netceptor.listen("echo");
  await rejects(far!.netceptor.listen("echo"), /service echo is already listening/);
  await rejects(far!.netceptor.listen("ping"), /already listening/);
  const iterator = listener[Symbol.asyncIterator]();
  const conn = await inTime(mesh.clock, near!.netceptor.dial("n1", "echo"));
  await inTime(mesh.clock, iterator.next());
  await listener[Symbol.asyncDispose]();
  equal((await iterator.next()).done, true);
  await inTime(mesh.clock, conn.closed);
  await rejects(inTime(mesh.clock, conn.read(new Uint8Array(1))));
  conn.close();
  await using again = await far!.netceptor.listen("echo");
  equal(again.service, "echo");
});

Deno.test("a listener drops the first byte only if it is zero", async () => {
  await using mesh = new SimMesh();
  const [near, far] = await line(mesh, 2);
  await using listener = await far!.netceptor.listen("svc");
  const first = listener[Symbol.asyncIterator]().next();
  const conn = await inTime(mesh.clock, near!.netceptor.dial("n1", "svc"));
  await conn.write(encoder.encode("hello"));
  const accepted = (await inTime(mesh.clock, first)).value as MeshConn;
  const buffer = new Uint8Array(100);
  const count = await inTime(mesh.clock, accepted.read(buffer));
  equal(new TextDecoder().decode(buffer.subarray(0, count!)), "hello");
  conn.close();
  accepted.close();
});

Deno.test("listen without a name uses an ephemeral one", async () => {
  await using mesh = new SimMesh();
  const { netceptor } = mesh.add("a");
  await using one = await netceptor.listen("");
  await using two = await netceptor.listen("");
  equal(one.service.length, 8);
  ok(one.service !== two.service);
});

Deno.test("streams with a node that was killed and restarted end soon, on both services", async () => {
  await using mesh = new SimMesh();
  const [near, middle] = await line(mesh, 2);
  const killed = mesh.add("far");
  const link = mesh.link(middle!, killed);
  await mesh.converge();
  await using _listener = await killed.netceptor.listen("echo");
  await using ours = await near!.netceptor.listen("echo");
  const dialled = await inTime(mesh.clock, near!.netceptor.dial("far", "echo"));
  const theirs = killed.netceptor.dial("n0", "echo");
  const accepted = (await inTime(mesh.clock, ours[Symbol.asyncIterator]().next())).value!;
  (await inTime(mesh.clock, theirs)).remoteNode;
  const other = await inTime(mesh.clock, near!.netceptor.dial("n0", "echo"));

  link.cut();
  // Later, since its epoch counts seconds.
  await mesh.clock.advance(2_000);
  const start = mesh.clock.now();
  mesh.link(middle!, mesh.add("far"));
  const errors = await inTime(mesh.clock, Promise.all([dialled.closed, accepted.closed]));
  deepEqual(errors.map((error) => error?.message), ["far has restarted", "far has restarted"]);
  ok(mesh.clock.now() - start < 3_000);
  await rejects(dialled.read(new Uint8Array(1)), /far has restarted/);
  await other.write(Uint8Array.of(1));
});

Deno.test("what a restarted node opens at once outlives the end of what it had before", async () => {
  await using mesh = new SimMesh();
  const [near, middle] = await line(mesh, 2);
  const killed = mesh.add("far");
  const link = mesh.link(middle!, killed);
  await mesh.converge();
  await using listener = await near!.netceptor.listen("echo");
  const old = await inTime(mesh.clock, killed.netceptor.dial("n0", "echo"));
  const oldAccepted = (await inTime(mesh.clock, listener[Symbol.asyncIterator]().next()))
    .value as MeshConn;

  link.cut();
  await mesh.clock.advance(2_000);
  const restarted = mesh.add("far");
  mesh.link(middle!, restarted);
  const dialled = await inTime(mesh.clock, restarted.netceptor.dial("n0", "echo"));
  const accepted = (await inTime(mesh.clock, listener[Symbol.asyncIterator]().next()))
    .value as MeshConn;
  await inTime(mesh.clock, oldAccepted.closed);
  await dialled.write(encoder.encode("hello"));
  const buffer = new Uint8Array(100);
  const count = await inTime(mesh.clock, accepted.read(buffer));
  equal(new TextDecoder().decode(buffer.subarray(0, count!)), "hello");
  for (const conn of [old, dialled, accepted]) conn.close();
});

Deno.test("a node that shuts down ends its streams", async () => {
  await using mesh = new SimMesh();
  const [near, far] = await line(mesh, 2);
  await using listener = await far!.netceptor.listen("echo");
  void serveEcho(listener);
  const conn = await inTime(mesh.clock, near!.netceptor.dial("n1", "echo"));
  await inTime(mesh.clock, near!.netceptor[Symbol.asyncDispose]());
  await conn.closed;
  await rejects(conn.write(encoder.encode("x")));
  conn.close();
  await rejects(near!.netceptor.dial("n1", "echo"), /shutdown/);
});

Deno.test("advertised services are known to the mesh until they close", async () => {
  await using mesh = new SimMesh();
  const [near, , far] = await line(mesh, 3);
  far!.netceptor.advertiseWorkTypes([{ WorkType: "cat", Secure: true }]);
  const listener = await far!.netceptor.listen("control", {
    advertise: { tags: { type: "Control Service" } },
  });
  const known = () => near!.netceptor.status().Advertisements;
  await mesh.clock.until(() => known().length > 0, 6000);
  const [advertisement] = known();
  deepEqual({ ...advertisement, Time: "" }, {
    NodeID: "n2",
    Service: "control",
    Time: "",
    ConnType: 1,
    Tags: { type: "Control Service" },
    WorkCommands: [{ WorkType: "cat", Secure: true }],
  });
  await listener[Symbol.asyncDispose]();
  await mesh.clock.until(() => known().length === 0, 1000);
});

Deno.test("the services of a node that stops stay on record", async () => {
  await using mesh = new SimMesh();
  const [near, , far] = await line(mesh, 3);
  const listener = await far!.netceptor.listen("control", { advertise: { tags: {} } });
  const known = () => near!.netceptor.status(["Advertisements"]).Advertisements;
  await mesh.clock.until(() => known().length > 0, 6000);
  far!.netceptor.leaveServicesOnRecord();
  await listener[Symbol.asyncDispose]();
  await inTime(mesh.clock, far!.netceptor[Symbol.asyncDispose]());
  await mesh.clock.advance(60_000);
  deepEqual(known().map(({ NodeID, Service }) => [NodeID, Service]), [["n2", "control"]]);
});

Deno.test("a QUIC core that breaks ends its service's streams, is logged, and is replaced", async () => {
  await using mesh = new SimMesh();
  const random = { ...seededRandom(99) };
  const [near, far] = [mesh.add("near"), mesh.add("far", {}, { random })];
  mesh.link(near, far);
  await mesh.converge();
  await using echo = await far.netceptor.listen("echo");
  await using other = await far.netceptor.listen("other");
  const serving = [serveEcho(echo), serveEcho(other)];
  const dial = (service: string) => inTime(mesh.clock, near.netceptor.dial("far", service));
  const [lost, kept] = [await dial("echo"), await dial("other")];

  const fill = random.fill;
  random.fill = () => {
    throw new Error("no entropy left");
  };
  // The handshake wants randomness, and is tried again by QUIC. With a TLS config of its own no other
  // connection will do.
  const dialling = near.netceptor.dial("far", "echo", { tls: insecureClientTls() });
  await mesh.clock.advance(50);
  random.fill = fill;
  ok(far.log.has("streams failed: service echo: the QUIC core broke down"));
  equal(far.log.lines.filter((line) => line.startsWith("ERROR")).length, 1);

  const next = await inTime(mesh.clock, dialling);
  equal((await inTime(mesh.clock, exchange(next, Uint8Array.of(1, 2)))).length, 2);
  equal((await inTime(mesh.clock, exchange(kept, Uint8Array.of(1, 2)))).length, 2);
  await rejects(inTime(mesh.clock, exchange(lost, Uint8Array.of(1, 2))), /no longer knows/);
  await echo[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
  await Promise.all(serving);
});

/** The streams of a listener, as they come. */
function acceptor(mesh: SimMesh, listener: MeshListener): () => Promise<MeshConn> {
  const iterator = listener[Symbol.asyncIterator]();
  return async () => (await inTime(mesh.clock, iterator.next())).value!;
}

/** How many handshakes `action` takes, counted by checks of the server. */
function countingTls(): { tls: ClientTls; handshakes(): number } {
  let handshakes = 0;
  const { verifyServer } = insecureClientTls();
  const tls: ClientTls = {
    verifyServer(chain, node) {
      handshakes += 1;
      verifyServer(chain, node);
    },
  };
  return { tls, handshakes: () => handshakes };
}

Deno.test("streams to one service share a handshake, and each knows both its ends", async () => {
  await using mesh = new SimMesh();
  const [near, far] = await line(mesh, 2);
  await using listener = await far!.netceptor.listen("svc");
  const accept = acceptor(mesh, listener);
  const { tls, handshakes } = countingTls();
  const ends: [MeshConn, MeshConn][] = [];
  for (let i = 0; i < 5; i++) {
    const dialled = inTime(mesh.clock, near!.netceptor.dial("n1", "svc", { tls }));
    ends.push([await dialled, await accept()]);
  }
  equal(handshakes(), 1);
  for (const [dialled, accepted] of ends) {
    deepEqual([dialled.remoteNode, dialled.remoteService, dialled.secure], ["n1", "svc", true]);
    deepEqual([accepted.remoteNode, accepted.secure], ["n0", false]);
    await dialled.write(encoder.encode(accepted.remoteService));
  }
  ends[0]![0].abort();
  await rejects(
    inTime(
      mesh.clock,
      ends[0]![1].read(new Uint8Array(99)).then(() => ends[0]![1].read(new Uint8Array(1))),
    ),
  );
  for (const [, accepted] of ends.slice(1)) {
    equal(await inTime(mesh.clock, accepted.read(new Uint8Array(99))), 8);
  }
});

Deno.test("a dial over a connection whose peer has vanished goes on with a new one", async () => {
  await using mesh = new SimMesh();
  const near = mesh.add("near");
  const far = mesh.add("far");
  let deaf = false;
  const [nearSession, farSession] = memorySessionPair(["near", "far"]);
  mesh.attach(near, nearSession);
  mesh.attach(far, {
    description: farSession.description,
    receive: () => farSession.receive(),
    send: (frames) => deaf ? Promise.resolve() : farSession.send(frames),
    close: () => farSession.close(),
  });
  await mesh.converge();
  const { tls, handshakes } = countingTls();
  const dial = () => inTime(mesh.clock, near.netceptor.dial("far", "svc", { tls }));
  const first = await far.netceptor.listen("svc");
  const accept = acceptor(mesh, first);
  const conn = await dial();
  (await accept()).close();
  await conn.closeWrite();
  conn.close();
  // The service ends and what it says about that is lost; another one takes its name.
  await mesh.clock.advance(100);
  deaf = true;
  await first[Symbol.asyncDispose]();
  await mesh.clock.advance(100);
  deaf = false;
  await using second = await far.netceptor.listen("svc");
  const acceptSecond = acceptor(mesh, second);
  const start = mesh.clock.now();
  const again = await dial();
  ok(mesh.clock.now() - start < 3_000, `${mesh.clock.now() - start} ms`);
  const accepted = await acceptSecond();
  await again.write(encoder.encode("once"));
  equal(await inTime(mesh.clock, accepted.read(new Uint8Array(9))), 4);
  equal(handshakes(), 2);
});

Deno.test("a service that closes ends the connection, and the next dial says that it is unknown", async () => {
  await using mesh = new SimMesh();
  const [near, far] = await line(mesh, 2);
  const listener = await far!.netceptor.listen("svc");
  void serveEcho(listener);
  await inTime(
    mesh.clock,
    near!.netceptor.dial("n1", "svc").then((conn) => exchange(conn, Uint8Array.of(1))),
  );
  await listener[Symbol.asyncDispose]();
  await mesh.clock.advance(100);
  await rejects(inTime(mesh.clock, near!.netceptor.dial("n1", "svc")), {
    message: "service unknown",
  });
});

Deno.test("connections that were kept for further streams end by themselves", async () => {
  await using mesh = new SimMesh();
  const [near, far] = await line(mesh, 2);
  await using listener = await far!.netceptor.listen("svc");
  void serveEcho(listener);
  const { tls, handshakes } = countingTls();
  const once = () =>
    inTime(
      mesh.clock,
      near!.netceptor.dial("n1", "svc", { tls }).then((conn) => exchange(conn, Uint8Array.of(1))),
    );
  await once();
  await mesh.clock.advance(20_000);
  await once();
  equal(handshakes(), 1);
  await mesh.clock.advance(40_000);
  await once();
  equal(handshakes(), 2);
});
