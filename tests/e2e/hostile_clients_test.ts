/** Control clients that misbehave: the daemon's memory stays flat, and other clients are served. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { writeAll } from "../../lib/base/byte_conn.ts";
import { ControlClient } from "../../lib/control/client.ts";
import type { MeshConn } from "../../lib/netceptor/mesh.ts";
import type { ControlSession } from "../support/control_session.ts";
import { Budget } from "../support/budget.ts";
import { eventually } from "../support/eventually.ts";
import { type Mesh, meshTest } from "../support/mesh.ts";
import { OwnNode, readLine } from "../support/own_node.ts";
import { freePort } from "../support/ports.ts";
import { residentBytes } from "../support/processes.ts";
import type { TestNode } from "../support/test_node.ts";

const MEBIBYTE = 1 << 20;
const BIG_OUTPUT_BYTES = 500_000_000;
/** Far more than uncollected garbage takes, far less than what is being sent. */
const FLAT_BYTES = 150 * MEBIBYTE;

const WORK_TYPES = [
  { "work-command": { worktype: "cat", command: "cat" } },
  {
    "work-command": {
      worktype: "big",
      command: "head",
      params: `-c ${BIG_OUTPUT_BYTES} /dev/zero`,
    },
  },
];

function soloNode(mesh: Mesh): Promise<TestNode> {
  return mesh.node({ kind: "ours", id: "solo", actions: WORK_TYPES });
}

function openFiles(pid: number): number {
  return [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
}

async function assertServes(node: TestNode, target = node.id): Promise<void> {
  assert.equal((await node.json(`ping ${target}`)).Success, true);
  const unit = await node.submit({ node: target, worktype: "cat", payload: "served" });
  assert.equal(await node.resultText(unit), "served");
  assert.deepEqual(await node.json(`work release ${unit}`), { released: unit });
}

meshTest(
  "a command line of 100 MB without its end is refused, in flat memory",
  { kinds: ["ours"] },
  async (mesh) => {
    const node = await soloNode(mesh);
    await assertServes(node);
    await using other = await node.session();
    const before = residentBytes(node.pid);
    let peak = before;
    await using client = await node.session();
    const piece = new Uint8Array(MEBIBYTE).fill("x".charCodeAt(0));
    for (let sent = 0; sent < 100; sent++) {
      // The node may have closed by then.
      await client.write(piece).catch(() => {});
      peak = Math.max(peak, residentBytes(node.pid));
      if (sent % 20 === 0) assert.equal((await other.json("ping solo")).Success, true);
    }
    assert.match((await client.readLine())!, /^ERROR: command line is longer than \d+ bytes$/);
    assert.ok(peak - before < FLAT_BYTES, `${peak - before} bytes more`);
    await assertServes(node);
  },
);

meshTest(
  "clients that never read 500 MB of results cost no memory and hold nobody up",
  { kinds: ["ours"] },
  async (mesh) => {
    const { nodes } = await mesh.line(["ours", "ours"], () => ({ actions: WORK_TYPES }));
    const [near, far] = [nodes[0]!, nodes[1]!];
    const local = await near.submit({ node: near.id, worktype: "big" });
    const remote = await far.submit({ node: far.id, worktype: "big" });
    for (const [node, unit] of [[near, local], [far, remote]] as const) {
      await node.waitForUnit(unit);
    }
    // A first round, so that whatever stays resident after any traffic is already there.
    assert.equal(await countResults(near, local), BIG_OUTPUT_BYTES);
    await assertServes(near, far.id);
    const before = nodes.map(({ pid }) => residentBytes(pid));

    await using stuck = new AsyncDisposableStack();
    for (let i = 0; i < 5; i++) {
      stuck.use(await near.results(local));
      // Over the mesh, so that QUIC's flow control has to hold.
      const session = stuck.use(await near.session());
      await session.command(`connect ${far.id} control`);
      await session.readLine();
      await session.command(`work results ${remote} 0`);
    }
    assert.equal(await countResults(near, local), BIG_OUTPUT_BYTES);
    await assertServes(near, far.id);
    await assertServes(far, near.id);
    for (const [index, { id, pid }] of nodes.entries()) {
      const more = residentBytes(pid) - before[index]!;
      assert.ok(more < FLAT_BYTES, `${id} takes ${more} bytes more`);
    }
    const held = nodes.map(({ pid }) => openFiles(pid));
    await stuck.disposeAsync();
    await eventually(() => nodes.every(({ pid }, index) => openFiles(pid) < held[index]!), {
      what: "the end of what the stuck clients held",
    });
  },
);

/** Lines from a neighbour that holds as many streams as it likes. */
const HOSTILE_STREAMS = 200;
const HOSTILE_LINE_BYTES = 2 * MEBIBYTE;

meshTest(
  "a neighbour's unfinished lines on many streams cost bounded memory, and another's get in",
  { kinds: ["ours"] },
  async (mesh) => {
    const port = freePort();
    const budget = await Budget.start(mesh, {
      id: "solo",
      actions: [
        { "tcp-listener": { bindaddr: "127.0.0.1", port } },
        { "work-command": { worktype: "echo", command: "echo", allowruntimeparams: true } },
        ...WORK_TYPES,
      ],
    });
    const { node } = budget;
    await using hostile = new OwnNode("hostile");
    await using honest = new OwnNode("honest");
    for (const each of [hostile, honest]) {
      each.dial(port);
      await each.waitForRoute("solo");
    }
    await assertServes(node);
    const streams: MeshConn[] = [];
    while (streams.length < HOSTILE_STREAMS) {
      streams.push(await hostile.netceptor.dial("solo", "control"));
    }
    budget.begin();

    let isOver = false;
    const line = new Uint8Array(HOSTILE_LINE_BYTES).fill("x".charCodeAt(0));
    const replies: string[] = [];
    const attacks = streams.map(async (stream) => {
      // A stream that is cut off accepts no more.
      writeAll(stream, line).catch(() => {});
      await readLine(stream);
      replies.push(await readLine(stream));
    });
    const attack = Promise.all(attacks).finally(() => isOver = true);
    attack.catch(() => {});
    await using client = await node.session();
    while (!isOver) {
      assert.equal((await client.json("ping solo")).Success, true);
    }
    await attack;
    for (const reply of replies) {
      assert.match(reply, /^ERROR: (command line is longer than|too many long command lines)/);
    }

    // Unfinished lines within the bound take up all there is, and another node still gets in.
    const waiting = await Promise.all(
      Array.from({ length: 100 }, () => hostile.netceptor.dial("solo", "control")),
    );
    await Promise.all(waiting.map((stream) => writeAll(stream, line.subarray(0, 200_000))));
    const stream = await honest.netceptor.dial("solo", "control");
    using control = await ControlClient.connect(stream);
    const word = "w".repeat(100_000);
    const { unitId } = await control.submit(
      { node: "solo", workType: "echo", params: { params: word } },
      [],
    );
    assert.equal(await node.resultText(unitId), `${word}\n`);
    budget.assertKept(FLAT_BYTES / MEBIBYTE);
    await assertServes(node);
  },
);

async function countResults(node: TestNode, unit: string): Promise<number> {
  await using results = await node.results(unit);
  return await results.countAll();
}

meshTest(
  "1,000 idle clients, and 100 that never send their payload, harm nobody",
  { kinds: ["ours"] },
  async (mesh) => {
    const node = await soloNode(mesh);
    await assertServes(node);
    const before = { bytes: residentBytes(node.pid), files: openFiles(node.pid) };
    await using idle = new AsyncDisposableStack();
    for (let i = 0; i < 1_000; i++) idle.use(await node.session());
    const submitting: ControlSession[] = [];
    for (let i = 0; i < 100; i++) {
      const session = idle.use(await node.session());
      await session.command("work submit solo cat");
      submitting.push(session);
    }
    await assertServes(node);
    const more = residentBytes(node.pid) - before.bytes;
    assert.ok(more < FLAT_BYTES, `${more} bytes more`);
    const units = await node.json("work list") as Record<string, { Detail: string }>;
    assert.deepEqual(
      [...new Set(Object.values(units).map(({ Detail }) => Detail))],
      ["Waiting for Input Data"],
    );
    // They can also go on: nothing was dropped.
    await submitting[0]!.closeWrite();
    assert.match((await submitting[0]!.readLine())!, /"Job Started"/);
    await idle.disposeAsync();
    await eventually(() => openFiles(node.pid) <= before.files + 5, {
      what: "the end of what the clients held",
    });
    await assertServes(node);
  },
);

const BAD_IDS = [
  "../../etc",
  "..",
  ".",
  "/etc",
  "a/b",
  "a\\b",
  "a b",
  "two\nlines",
  "nul\u0000",
  "%2e%2e",
  "-rf",
  ".hidden",
  "é",
  "a".repeat(201),
];

meshTest(
  "a unit id from the network never leaves the data folder",
  { kinds: ["ours"] },
  async (mesh) => {
    const { nodes: [near, far] } = await mesh.line(
      ["ours", "ours"],
      () => ({ actions: WORK_TYPES }),
    );
    // Where `../../etc` would lead, and something to read and to delete in it.
    const target = join(far!.folder, "etc");
    await Deno.mkdir(target);
    await Deno.writeTextFile(join(target, "stdout"), "secret");
    await Deno.writeTextFile(join(target, "status"), JSON.stringify({ State: 2, StdoutSize: 6 }));
    const filesOf = (folder: string) =>
      [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
    const before = [far!.folder, far!.dataFolder, target].map(filesOf);

    for (const workUnitID of BAD_IDS) {
      for (const viaMesh of [true, false]) {
        const open = async () => {
          const session = await (viaMesh ? near! : far!).session();
          if (viaMesh) {
            await session.command(`connect ${far!.id} control`);
            await session.readLine();
          }
          return session;
        };
        await using session = await open();
        await session.send({
          command: "work",
          subcommand: "submit",
          node: far!.id,
          worktype: "cat",
          workUnitID,
        });
        assert.match((await session.readLine())!, /^ERROR: workUnitID must be 1 to 200 letters/);
        for (const subcommand of ["status", "cancel", "release", "force-release", "results"]) {
          await session.send({ command: "work", subcommand, unitid: workUnitID, startpos: 0 });
          const reply = await session.readLine();
          assert.match(reply!, /^ERROR: unknown work unit /, `${subcommand} ${workUnitID}`);
        }
        assert.equal((await session.json(`ping ${far!.id}`)).Success, true, "the session goes on");
      }
    }
    assert.deepEqual([far!.folder, far!.dataFolder, target].map(filesOf), before);
    assert.deepEqual(await far!.unitFolders(), []);
    await assertServes(near!, far!.id);
  },
);

/** Lines that no client sends, each with the answer's beginning. */
const BAD_LINES: [line: string, reply: RegExp][] = [
  ["nonsense", /^ERROR: Unknown command, nonsense/],
  ["\u0000\u0001\u0002", /^ERROR: Unknown command/],
  ["{", /^ERROR: /],
  ["{}", /^ERROR: JSON did not contain a command/],
  ['{"command":{}}', /^ERROR: command must be a string/],
  [`{"command":${"[".repeat(1_000_000)}`, /^ERROR: /],
  [
    `{"command":"status","requested_fields":${JSON.stringify(Array(50_000).fill("x"))}}`,
    /^(\{|ERROR)/,
  ],
  [`{"command":"ping","target":{"a":1}}`, /^ERROR: /],
  [`ping ${"x".repeat(1_000_000)}`, /^(\{|ERROR)/],
  [`work ${"x ".repeat(100_000)}`, /^ERROR: /],
  [
    '{"command":"work","subcommand":"submit","node":5,"worktype":"cat"}',
    /^ERROR: submit parameters/,
  ],
  ['{"command":"work","subcommand":"results","unitid":"x","startpos":-1}', /^ERROR: /],
  ['{"command":"work","subcommand":"results","unitid":"x","startpos":1e300}', /^ERROR: /],
  ["work results x 99999999999999999999999", /^ERROR: /],
  ["connect solo control x y z", /^ERROR: /],
  [`connect solo ${"x".repeat(1_000)}`, /^ERROR: /],
];

meshTest("no command line harms the node", { kinds: ["ours"] }, async (mesh) => {
  const node = await soloNode(mesh);
  await using session = await node.session();
  for (const [line, reply] of BAD_LINES) {
    await session.send(line);
    const answer = await session.readLine();
    assert.match(answer!, reply, line.slice(0, 100));
    assert.ok(answer!.length < 2 * line.length + 1_000, "an answer is no larger than the question");
  }
  // Bytes that are not UTF-8.
  await session.write(Uint8Array.of(0xff, 0xfe, 0x80, 0x0a));
  assert.match((await session.readLine())!, /^ERROR: Unknown command/);
  await assertServes(node);
  assert.doesNotMatch(node.log, /at .*\.ts:\d+/);
});
