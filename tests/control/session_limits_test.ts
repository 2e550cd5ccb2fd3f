/** What one client can make the node hold, and for how long. */
import assert from "node:assert/strict";
import { writeAll } from "../../lib/base/byte_conn.ts";
import { limitsFor, LINE_BUDGET_BYTES, MAX_JSON_VALUES } from "../../lib/control/limits.ts";
import { ControlServer } from "../../lib/control/server.ts";
import type { Caller } from "../../lib/control/work_service.ts";
import type { AdvertisedService } from "../../lib/netceptor/mesh.ts";
import { VirtualClock } from "../sim/virtual_clock.ts";
import { fakeDeps, FakeMesh, FakeWork } from "./fakes.ts";
import { bytes, MemoryConn, readText } from "./memory_conn.ts";
import { connectClient, exchange, localCaller } from "./session.ts";

const meshCaller: Caller = { via: "mesh", secure: false, description: "bar:x", peer: "bar" };
const secureCaller: Caller = { ...meshCaller, secure: true };
const callers = [localCaller, meshCaller, secureCaller];

Deno.test("a line over its caller's bound is refused, and the client is told", async () => {
  for (const caller of callers) {
    const { lineBytes } = limitsFor(caller);
    const line = new Uint8Array(lineBytes + 1_000_000).fill(120);
    assert.equal(
      await exchange(line, {}, caller),
      `ERROR: command line is longer than ${lineBytes} bytes\n`,
    );
  }
});

Deno.test("a line just below its caller's bound is read", async () => {
  for (const caller of callers) {
    const length = limitsFor(caller).lineBytes - 200;
    const command = {
      command: "work",
      subcommand: "submit",
      node: "foo",
      worktype: "cat",
      secret_kube_pod: "x".repeat(length),
    };
    const work = new FakeWork();
    await exchange(`${JSON.stringify(command)}\npayload`, { work }, caller);
    const unit = work.units.get("foo00000001")!;
    assert.equal(unit.request.params.secret_kube_pod!.length, length);
    assert.equal(new TextDecoder().decode(unit.output), "payload");
  }
});

Deno.test("a command of too many values is refused before it is built", async () => {
  const refusal = `ERROR: a JSON command may hold at most ${MAX_JSON_VALUES} values\n`;
  assert.equal(await exchange(`{"command":"status","a":${"[".repeat(4e6)}\n`), refusal);
  assert.equal(await exchange(`{"command":"status","a":[${"{},".repeat(2e6)}1]}\n`), refusal);
  const members = Array.from({ length: 900_000 }, (_, i) => `"${i}":""`);
  assert.equal(await exchange(`{"command":"status",${members.join(",")}}\n`), refusal);
  // Brackets and commas in a text are text.
  const text = `{"command":"ping","target":"nope","pod":"${'[{\\",'.repeat(20_000)}"}\n`;
  assert.equal(await exchange(text), '{"Error":"no route to node","Success":false}\n');
});

Deno.test("millions of words cost no more than their bytes", async () => {
  const blanks = " ".repeat(4_000_000);
  const work = new FakeWork();
  const start = performance.now();
  assert.equal(await exchange(`connect${blanks}\n`), "ERROR: too many parameters\n");
  assert.equal(await exchange(`work${blanks}\n`), "ERROR: bad command\n");
  assert.match(await exchange(`work results x${blanks}\n`), /^ERROR: work results only takes/);
  assert.match(await exchange(`work status x${blanks}\n`), /^ERROR: work status does not take/);
  await exchange(`work submit foo cat ${blanks}\n`, { work });
  assert.equal(work.units.get("foo00000001")!.request.params.params, blanks);
  assert.ok(performance.now() - start < 60_000, `${performance.now() - start} ms`);
});

Deno.test("an error line quotes only the beginning of what a client wrote", async () => {
  const reply = await exchange(`${"x".repeat(100_000)}\n`);
  assert.match(reply, /^ERROR: Unknown command, x+\n$/);
  assert.ok(reply.length < 5_000);
});

Deno.test("a line from the network must be complete in time, but the next one may wait", async () => {
  const clock = new VirtualClock();
  const { conn, served } = connectClient({ clock }, meshCaller);
  await writeAll(conn, bytes("foo\n"));
  await clock.until(() => clock.pending === 0, 1000);
  await clock.advance(24 * 3_600_000);
  await writeAll(conn, bytes("bar"));
  await clock.until(() => clock.pending === 1, 1000);
  await clock.advance(limitsFor(meshCaller).lineMs! - 1);
  await writeAll(conn, bytes("bar"));
  const reply = readText(conn);
  await clock.advance(1);
  await clock.until(() => clock.pending === 1, 1000);
  await clock.advance(5_000);
  assert.equal(
    await reply,
    "Receptor Control, node foo\nERROR: Unknown command, foo\n" +
      "ERROR: command line was not complete after 60 s\n",
  );
  await served;
  assert.equal(clock.pending, 0);
});

Deno.test("a client from the network that never says anything is dismissed", async () => {
  const clock = new VirtualClock();
  const { conn, served } = connectClient({ clock }, meshCaller);
  await clock.until(() => clock.pending === 1, 1000);
  await clock.advance(limitsFor(meshCaller).firstCommandMs!);
  const reply = readText(conn);
  await clock.until(() => clock.pending === 1, 1000);
  await clock.advance(5_000);
  assert.equal(
    await reply,
    "Receptor Control, node foo\nERROR: no command came within 120 s\n",
  );
  await served;
});

Deno.test("a client on the Unix socket has no time limit", async () => {
  const clock = new VirtualClock();
  const { conn, served } = connectClient({ clock });
  await writeAll(conn, bytes("fo"));
  await clock.advance(7 * 24 * 3_600_000);
  assert.equal(clock.pending, 0);
  await writeAll(conn, bytes("o\n"));
  await conn.closeWrite();
  assert.match(await readText(conn), /\nERROR: Unknown command, foo\n$/);
  await served;
});

/** Clients of one server, each with an unfinished line of `lineBytes`. */
async function openLines(
  server: ControlServer,
  caller: Caller,
  count: number,
  lineBytes: number,
) {
  const clients: MemoryConn[] = [];
  const sessions: Promise<void>[] = [];
  const line = new Uint8Array(lineBytes).fill(120);
  for (let i = 0; i < count; i++) {
    const [conn, serverEnd] = MemoryConn.pair();
    sessions.push(server.serve(serverEnd, caller, new AbortController().signal));
    clients.push(conn);
    // A refused client's line is discarded, a cut-off one's is not read.
    await writeAll(conn, line).catch(() => {});
  }
  return { clients, sessions };
}

Deno.test("a node that fills the budget is refused more, and another's line gets in", async () => {
  const lineBytes = limitsFor(secureCaller).lineBytes;
  const server = new ControlServer(fakeDeps());
  const fits = LINE_BUDGET_BYTES / lineBytes;
  const hostile = await openLines(server, secureCaller, fits + 3, lineBytes - 1);
  const refusal = "ERROR: too many long command lines or replies at once, try again later\n";
  const refused = hostile.clients.slice(-3);
  for (const conn of refused) {
    await conn.closeWrite();
    assert.equal(await readText(conn), `Receptor Control, node foo\n${refusal}`);
  }

  const honest = await openLines(server, { ...secureCaller, peer: "baz" }, 1, lineBytes - 1);
  const [conn] = honest.clients;
  await writeAll(conn!, bytes("\n"));
  await conn!.closeWrite();
  assert.match(await readText(conn!), /^Receptor Control, node foo\nERROR: Unknown command, x+\n$/);
  // The oldest line made room, and its client was told.
  assert.equal(await readText(hostile.clients[0]!), `Receptor Control, node foo\n${refusal}`);

  for (const each of [...hostile.clients, conn!]) each.close();
  await Promise.all([...hostile.sessions, ...honest.sessions]);
});

Deno.test("a line counts while its command runs, and no longer", async () => {
  const work = new FakeWork();
  const server = new ControlServer(fakeDeps({ work }));
  const { lineBytes } = limitsFor(secureCaller);
  const line = bytes(`work submit foo cat ${"x".repeat(lineBytes - 1000)}\n`);
  const submit = async () => {
    const [conn, serverEnd] = MemoryConn.pair();
    const served = server.serve(serverEnd, secureCaller, new AbortController().signal);
    await writeAll(conn, line);
    return {
      finish: async () => {
        await conn.closeWrite();
        const reply = await readText(conn);
        await served;
        conn.close();
        return reply;
      },
    };
  };
  const waiting = [];
  while (waiting.length < LINE_BUDGET_BYTES / lineBytes) waiting.push(await submit());
  assert.match(
    await (await submit()).finish(),
    /ERROR: too many long command lines or replies at once/,
  );
  for (const { finish } of waiting) assert.match(await finish(), /Job Started/);
  assert.match(await (await submit()).finish(), /Job Started/);
});

/** A mesh with a service whose tags take as many bytes. */
class LargeMesh extends FakeMesh {
  readonly #tagBytes: number;

  constructor(tagBytes: number) {
    super();
    this.#tagBytes = tagBytes;
  }

  override advertisements(): Iterable<AdvertisedService> {
    const Tags = { text: "x".repeat(this.#tagBytes) };
    return this.status().Advertisements.map((service) => ({ ...service, Tags }));
  }
}

Deno.test("replies that nobody reads count like lines, and another's still gets through", async () => {
  const replyBytes = 2 ** 20;
  const server = new ControlServer(fakeDeps({ mesh: new LargeMesh(replyBytes) }));
  const ask = async (caller: Caller) => {
    const [conn, serverEnd] = MemoryConn.pair();
    const served = server.serve(serverEnd, caller, new AbortController().signal);
    await writeAll(conn, bytes("status\n"));
    await conn.closeWrite();
    return { conn, served };
  };
  const held = LINE_BUDGET_BYTES / replyBytes - 1;
  const deaf = await Promise.all(Array.from({ length: held }, () => ask(meshCaller)));
  const refused = await ask(meshCaller);
  assert.match(await readText(refused.conn), /ERROR: too many long command lines or replies/);
  for (const caller of [{ ...meshCaller, peer: "baz" }, localCaller]) {
    const honest = await ask(caller);
    assert.match(await readText(honest.conn), /"NodeID":"foo"/);
    await honest.served;
    honest.conn.close();
  }
  for (const { conn } of [...deaf, refused]) conn.close();
  await Promise.all([...deaf, refused].map(({ served }) => served));
});

/** A mesh whose status takes several turns of the event loop. */
class SlowMesh extends FakeMesh {
  /** Statuses that are being made, and the most at a time. */
  running = 0;
  most = 0;

  override *connectionCosts(): Iterable<[string, Map<string, number>]> {
    this.most = Math.max(this.most, ++this.running);
    for (let i = 0; i < 3; i++) {
      const end = performance.now() + 25;
      while (performance.now() < end);
      yield [`node${i}`, new Map([["foo", 1]])];
    }
    this.running--;
  }
}

async function statusesAtATime(caller: Caller): Promise<number> {
  const mesh = new SlowMesh();
  const server = new ControlServer(fakeDeps({ mesh }));
  const clients = Array.from({ length: 6 }, async (_, i) => {
    const [conn, serverEnd] = MemoryConn.pair();
    const served = server.serve(
      serverEnd,
      { ...caller, peer: `node${i % 3}` },
      new AbortController().signal,
    );
    await writeAll(conn, bytes("status\n"));
    await conn.closeWrite();
    assert.match(await readText(conn), /"node2":\{"foo":1\}/);
    await served;
    conn.close();
  });
  await Promise.all(clients);
  return mesh.most;
}

Deno.test("clients from the network have their statuses made one after the other", async () => {
  assert.equal(await statusesAtATime(meshCaller), 1);
  assert.equal(await statusesAtATime(localCaller), 6);
});
