import assert from "node:assert/strict";
import type { ControlClient } from "../../../lib/control/client.ts";
import { ControlError } from "../../../lib/control/control_error.ts";
import { CommandLines } from "../../../lib/workceptor/remote/command_lines.ts";
import { settle, VirtualClock } from "../../sim/virtual_clock.ts";

const signal = new AbortController().signal;
const far = { RemoteNode: "far", TLSClient: "" };

class FakeClient {
  closed = false;

  constructor(readonly number: number) {}

  close(): void {
    this.closed = true;
  }
}

/** Lines to a node that answers a connection at once. */
function setUp() {
  const clock = new VirtualClock();
  const clients: FakeClient[] = [];
  let connect = () => Promise.resolve(new FakeClient(clients.length));
  const lines = new CommandLines({
    clock,
    connect: async () => {
      const client = await connect();
      clients.push(client);
      return client as unknown as ControlClient;
    },
  });
  return {
    clock,
    clients,
    lines,
    /** Runs a command; resolves to the number of the line that it went over. */
    numberOf: (target = far) => lines.run(target, numberIn, signal),
    failToConnect: (error: Error) => connect = () => Promise.reject(error),
  };
}

const numberIn = (client: ControlClient) =>
  Promise.resolve((client as unknown as FakeClient).number);

Deno.test("commands share a line, which is closed once it has been idle for long", async () => {
  const { clock, clients, lines, numberOf } = setUp();
  for (let i = 0; i < 5; i++) {
    assert.equal(await numberOf(), 0);
    await clock.advance(9_000);
  }
  assert.equal(clients[0]!.closed, false);
  await clock.advance(2_000);
  assert.equal(clients[0]!.closed, true);
  assert.equal(clock.pending, 0);
  assert.equal(await numberOf(), 1);
  lines[Symbol.dispose]();
  assert.ok(clients.every(({ closed }) => closed));
  assert.equal(clock.pending, 0);
});

Deno.test("a line in constant use is replaced after a minute, for a renewed certificate", async () => {
  const { clock, clients, lines, numberOf } = setUp();
  for (let i = 0; i < 12; i++) {
    await numberOf();
    await clock.advance(5_500);
  }
  assert.deepEqual(clients.map(({ closed }) => closed), [true, false]);
  lines[Symbol.dispose]();
});

Deno.test("each node and each TLS config has its own lines", async () => {
  const { lines, numberOf } = setUp();
  assert.equal(await numberOf(), 0);
  assert.equal(await numberOf({ ...far, TLSClient: "tls" }), 1);
  assert.equal(await numberOf({ ...far, RemoteNode: "farther" }), 2);
  assert.equal(await numberOf(), 0);
  lines[Symbol.dispose]();
});

Deno.test("a refusal leaves the line as it is", async () => {
  const { lines, numberOf } = setUp();
  const refusal = new ControlError("unknown work unit x");
  await assert.rejects(lines.run(far, () => Promise.reject(refusal), signal), refusal);
  assert.equal(await numberOf(), 0);
  lines[Symbol.dispose]();
});

Deno.test("a line that died while idle costs no command", async () => {
  const { clients, lines, numberOf } = setUp();
  const both = [0, 1].map(() => lines.run(far, () => settle(), signal));
  await Promise.all(both);
  assert.equal(clients.length, 2);
  const overIt: number[] = [];
  await lines.run(far, async (client) => {
    overIt.push(await numberIn(client));
    if (overIt.length === 1) throw new Error("connection reset");
  }, signal);
  assert.equal(overIt.at(-1), 2, "its siblings are as old");
  assert.deepEqual(clients.map(({ closed }) => closed), [true, true, false]);
  assert.equal(await numberOf(), 2);
  lines[Symbol.dispose]();
});

Deno.test("a command that fails over a new line has failed", async () => {
  const { clients, lines } = setUp();
  let tries = 0;
  const failure = new Error("connection reset");
  await assert.rejects(
    lines.run(far, () => {
      tries++;
      return Promise.reject(failure);
    }, signal),
    failure,
  );
  assert.equal(tries, 1);
  assert.equal(clients[0]!.closed, true);
  lines[Symbol.dispose]();
});

Deno.test("a burst of commands gets by with few lines, slow ones get more", async () => {
  const { clock, clients, lines } = setUp();
  await Promise.all(Array.from({ length: 200 }, () => lines.run(far, () => settle(), signal)));
  const eager = clients.length;
  assert.ok(eager >= 2 && eager <= 16, `${eager} lines`);
  const go = Promise.withResolvers<void>();
  const slow = Array.from({ length: 40 }, () => lines.run(far, () => go.promise, signal));
  await clock.advance(1_100);
  assert.equal(clients.length, 40);
  go.resolve();
  await Promise.all(slow);
  await clock.advance(11_000);
  assert.ok(clients.every(({ closed }) => closed));
  assert.equal(clock.pending, 0);
});

Deno.test("what keeps one command from reaching the node is reported to those that wait", async () => {
  const { clock, lines, failToConnect } = setUp();
  const error = new Error("no route to node");
  failToConnect(error);
  const commands = Array.from({ length: 30 }, () => lines.run(far, () => settle(), signal));
  for (const command of commands) await assert.rejects(command, error);
  assert.equal(clock.pending, 0);
  lines[Symbol.dispose]();
});

Deno.test("a command that is aborted while it waits ends with the reason", async () => {
  const { clock, lines } = setUp();
  const go = Promise.withResolvers<void>();
  const busy = Array.from({ length: 8 }, () => lines.run(far, () => go.promise, signal));
  const abort = new AbortController();
  const waiting = lines.run(far, () => settle(), abort.signal);
  await settle();
  const reason = new Error("changed my mind");
  abort.abort(reason);
  await assert.rejects(waiting, reason);
  go.resolve();
  await Promise.all(busy);
  lines[Symbol.dispose]();
  assert.equal(clock.pending, 0);
});
