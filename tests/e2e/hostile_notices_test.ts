/**
 * "Unreachable" messages in others' names, on a real daemon: they end no stream, and no dial of
 * others.
 */
import assert from "node:assert/strict";
import { encodeUnreachable } from "../../lib/wire/unreachable.ts";
import { Budget } from "../support/budget.ts";
import { meshTest } from "../support/mesh.ts";
import { OwnNode, serveEcho } from "../support/own_node.ts";
import { freePort } from "../support/ports.ts";
import { RawLink } from "../support/raw_link.ts";
import type { TestNode } from "../support/test_node.ts";

const VICTIM = "victim";
const PROBLEMS = ["blocked by firewall", "service unknown", "no route to node", "message expired"];
/** Each is dialled once, since streams to one service share a connection. */
const SERVICES = Array.from({ length: 10 }, (_, i) => `echo${i}`);
/** Sent while a service is dialled, which may not take long, and once the stream is up. */
const FEW = 100;
const MANY = 2_000;
const MEBIBYTES = 250;

/** Begins to dial; the session says "Connecting" once the stream is up. */
async function dial(victim: TestNode, service: string) {
  const session = await victim.session();
  await session.send(`connect far ${service}`);
  return session;
}

meshTest(
  "a neighbour's notices end neither a stream that is up nor a dial to somebody else",
  { kinds: ["ours"] },
  async (mesh) => {
    const port = freePort();
    const budget = await Budget.start(mesh, {
      id: VICTIM,
      actions: [{ "tcp-listener": { bindaddr: "127.0.0.1", port } }],
    });
    const victim = budget.node;
    await using far = new OwnNode("far");
    const link = mesh.link(port);
    far.dial(link.port);
    await far.waitForRoute(VICTIM);
    await victim.waitForRoute("far");
    await using services = new AsyncDisposableStack();
    for (const service of SERVICES) {
      const listener = await far.netceptor.listen(service);
      const serving = serveEcho(listener);
      services.defer(() => serving);
      services.use(listener);
    }
    // The worst case: the hostile neighbour knows from which service the victim dials all others.
    await using spy = await far.netceptor.listen("spy");
    const spied = spy[Symbol.asyncIterator]().next();
    await using bait = await dial(victim, "spy");
    const { value: conn } = await spied;
    const fromService: string = conn.remoteService;
    assert.equal(await bait.readLine(), "Connecting");
    conn.close();

    using evil = await RawLink.up(port, "evil", VICTIM);
    const notices = (toService: string) =>
      PROBLEMS.map((problem) =>
        encodeUnreachable({ fromNode: VICTIM, toNode: "far", fromService, toService, problem })
      );
    const lie = (toService: string, count: number) => {
      const lies = notices(toService).map((notice) => evil.packet("unreach", notice));
      return evil.send(...Array.from({ length: count }, (_, i) => lies[i % lies.length]!));
    };
    using ownVoice = far.netceptor.openDatagramPort("", {});
    budget.begin();
    await using held = new AsyncDisposableStack();
    const sessions = [];
    for (const service of SERVICES) {
      // So that the dial is still under way.
      link.stall();
      const session = held.use(await dial(victim, service));
      await lie(service, FEW);
      assert.ok(await evil.answers(), "the victim has heard them all");
      link.heal();
      assert.equal(await session.readLine(), "Connecting");
      sessions.push(session);
      await session.send(`over ${service}`);
      assert.equal(await session.readLine(), `over ${service}`);
      await lie(service, MANY);
      // Once the stream is up, not even its other end can end it so.
      for (const notice of notices(service)) ownVoice.send(VICTIM, "unreach", notice);
    }
    assert.ok(await evil.answers(), "all were dealt with, and the link is still up");
    for (const session of sessions) {
      await session.send("still there");
      assert.equal(await session.readLine(), "still there");
    }
    budget.assertKept(MEBIBYTES);
  },
);
