/** Neighbours that send nonsense: the daemon drops it, logs that, and serves everybody else. */
import assert from "node:assert/strict";
import { encodeAdvertisement } from "../../lib/wire/advertisement.ts";
import { MessageType } from "../../lib/wire/message_type.ts";
import { hashNodeId } from "../../lib/wire/node_id.ts";
import { encodeRouteMessage } from "../../lib/wire/route_message.ts";
import { encodeUnreachable } from "../../lib/wire/unreachable.ts";
import { seededRandom } from "../sim/seeded_random.ts";
import { Budget } from "../support/budget.ts";
import { eventually } from "../support/eventually.ts";
import { type Mesh, meshTest } from "../support/mesh.ts";
import { freePort } from "../support/ports.ts";
import { RawLink } from "../support/raw_link.ts";
import type { TestNode } from "../support/test_node.ts";

const VICTIM = "victim";
/** Messages of a flood that go out in one write. */
const BATCH = 500;
/** What full tables and the garbage of all floods take, in MiB. */
const FLOODED_MEBIBYTES = 600;
/** A deadline for tests with so many messages. */
const FLOODS_MS = 600_000;
const encoder = new TextEncoder();

/** A node with a good neighbour, and a port for bad ones. */
async function victimAndNeighbour(mesh: Mesh) {
  const port = freePort();
  const budget = await Budget.start(mesh, {
    id: VICTIM,
    actions: [
      { "tcp-listener": { bindaddr: "127.0.0.1", port } },
      { "work-command": { worktype: "cat", command: "cat" } },
    ],
  });
  const good = await mesh.node({
    kind: "ours",
    id: "good",
    actions: [{ "tcp-peer": { address: `127.0.0.1:${port}` } }],
  });
  await good.waitForRoute(VICTIM);
  budget.begin();
  return { budget, victim: budget.node, good, port };
}

/** As many work types as an advertisement may name, each as small as can be. */
const SMALL_COMMANDS = Array.from({ length: 1_024 }, () => '{"WorkType":"a"}').join(",");

/** Resolves when `from` gets an answer from node `to`; a busy machine may take several pings. */
async function answers(from: TestNode, to: string, when: string): Promise<void> {
  let reply: Record<string, unknown> = {};
  await eventually(async () => (reply = await from.json(`ping ${to}`)).Success === true, {
    what: () => `an answer from ${to} to ${from.id} ${when}: ${JSON.stringify(reply)}`,
  });
}

/** Everything that matters still works. */
async function assertUnharmed(victim: TestNode, good: TestNode): Promise<void> {
  assert.ok(victim.program.running);
  for (const [from, to] of [[victim, victim], [victim, good], [good, victim]] as const) {
    await answers(from, to.id, "when all is over");
  }
  const unit = await good.submit({ node: VICTIM, worktype: "cat", payload: "still here" });
  assert.equal(await good.resultText(unit), "still here");
  assert.doesNotMatch(victim.log, /Uncaught|unhandled|panicked|RangeError|at .*\.ts:\d+/i);
}

function message(type: number, body: string | Uint8Array): Uint8Array {
  const bytes = typeof body === "string" ? encoder.encode(body) : body;
  const whole = new Uint8Array(1 + bytes.length);
  whole[0] = type;
  whole.set(bytes, 1);
  return whole;
}

/** Values that no field of our messages may have, as JSON. */
const BAD_VALUES = [
  "null",
  "true",
  "[]",
  "{}",
  "-1",
  "1.5",
  "1e999",
  "-1e999",
  "18446744073709551616",
  "999999999999999999999999999999999999",
  '""',
  '"x"',
  '"\\u0000"',
  '"two\\nlines"',
  '"\\ud800"',
  JSON.stringify("x".repeat(60_000)),
  "[".repeat(60_000),
  `{"a":`.repeat(10_000),
];

/** Each field of a message with each bad value, the field missing, and the field twice. */
function withBadFields(type: number, good: Uint8Array): Uint8Array[] {
  const text = new TextDecoder().decode(good.subarray(1));
  // Numbers beyond 2^53 stay text: fields are replaced in the text itself.
  const fields = [...text.matchAll(/"(\w+)":("[^"]*"|\{[^}]*\}|\[[^\]]*\]|[^,{}]+)/g)]
    .filter(([, name]) => /^[A-Z]/.test(name!));
  assert.ok(fields.length >= 6);
  return fields.flatMap(([field, name]) => [
    ...BAD_VALUES.map((value) => message(type, text.replace(field, `"${name}":${value}`))),
    message(type, text.replace(field, `"Other":1`)),
    message(type, text.replace(field, `${field},${field}`)),
  ]);
}

function truncations(type: number, good: Uint8Array): Uint8Array[] {
  return Array.from({ length: good.length }, (_, length) => good.slice(0, length))
    .map((bytes) => bytes.length === 0 ? Uint8Array.of(type) : bytes);
}

function badConnections(link: RawLink): Uint8Array[] {
  const text = new TextDecoder().decode(encodeRouteMessage(link.route()).subarray(1));
  const many = Array.from({ length: 8_300 }, (_, i) => `"${i.toString(36)}":1`).join(",");
  return [
    `"${VICTIM}":-1`,
    `"${VICTIM}":0`,
    `"${VICTIM}":1e999`,
    `"${VICTIM}":"1"`,
    `"${VICTIM}":null`,
    `"":1`,
    `"two\\nlines":1`,
    `"${"x".repeat(60_000)}":1`,
    `"__proto__":{"a":1}`,
    many,
  ].map((body) =>
    message(MessageType.Route, text.replace(/"Connections":\{[^}]*\}/, `"Connections":{${body}}`))
  );
}

/** Messages that name a node other than the sender, as any flood of another node does. */
function badRoutes(link: RawLink): Uint8Array[] {
  const good = encodeRouteMessage(link.route({ nodeId: "other", updateId: "OTHER001" }));
  return [
    ...truncations(MessageType.Route, good),
    ...withBadFields(MessageType.Route, good),
    ...badConnections(link),
    encodeRouteMessage(link.route({ nodeId: "__proto__" })),
    encodeRouteMessage(link.route({ nodeId: VICTIM, epoch: 1n, updateId: "SELF0001" })),
  ];
}

function badAdvertisements(): Uint8Array[] {
  const good = encodeAdvertisement({
    nodeId: "other",
    service: "service",
    time: "2026-11-21T00:00:00.123456789Z",
    connectionType: 1,
    tags: new Map([["type", "any"]]),
    workCommands: [{ WorkType: "any", Secure: false }],
    cancel: false,
  });
  const text = new TextDecoder().decode(good.subarray(1));
  const commands = Array.from({ length: 2_000 }, () => '{"WorkType":"a","Secure":true}').join(",");
  return [
    ...truncations(MessageType.Advertisement, good),
    ...withBadFields(MessageType.Advertisement, good),
    message(2, text.replace(/"WorkCommands":\[[^\]]*\]/, `"WorkCommands":[${commands}]`)),
    message(2, text.replace(/"Tags":\{[^}]*\}/, `"Tags":{"__proto__":"x","a":5}`)),
  ];
}

function badPackets(link: RawLink): Uint8Array[] {
  const good = link.packet("ping", new Uint8Array(100));
  const changed = (at: number, ...bytes: number[]) => {
    const copy = good.slice();
    copy.set(bytes, at);
    return copy;
  };
  const random = seededRandom(7);
  const unreach = (body: string) => link.packet("unreach", encoder.encode(body));
  const about = (fields: object) =>
    unreach(JSON.stringify({
      FromNode: VICTIM,
      ToNode: "nobody",
      FromService: "control",
      ToService: "any",
      Problem: "service unknown",
      ...fields,
    }));
  const unknown = hashNodeId("never heard of");
  const unknownHash = [unknown.high, unknown.low].flatMap((half) => [
    half >>> 24,
    half >>> 16 & 0xff,
    half >>> 8 & 0xff,
    half & 0xff,
  ]);
  return [
    ...Array.from({ length: 36 }, (_, length) => good.slice(0, length)).slice(1),
    changed(1, 0),
    changed(1, 255),
    changed(2, 255, 255),
    changed(4, ...unknownHash),
    changed(12, ...unknownHash),
    changed(20, 255, 254, 253, 0, 0, 1, 2, 3),
    changed(28, 0, 0, 0, 0, 0, 0, 0, 0),
    changed(28, 255, 254, 253, 0, 0, 1, 2, 3),
    link.packet("ping", new Uint8Array(65_000)),
    link.packet("nothing", new Uint8Array(10)),
    link.packet("nothing", new Uint8Array(10), "unreach"),
    link.packet("ping", new Uint8Array(10), "unreach"),
    link.packet("ping", new Uint8Array(10), "ping"),
    link.packet("unreach", new Uint8Array()),
    ...["", "{", "[]", "null", "1", `"x"`, "[".repeat(60_000)].map(unreach),
    about({}),
    about({ Problem: "x".repeat(60_000) }),
    about({ Problem: null }),
    about({ FromNode: 5 }),
    about({ FromService: "far too long a name" }),
    about({ ToNode: "two\nlines" }),
    // At the QUIC endpoint of the control service: nothing, anything, and what looks like QUIC.
    ...[0, 1, 5, 20, 1200, 16_000].map((size) => link.packet("control", new Uint8Array(size))),
    ...Array.from({ length: 200 }, (_, i) => {
      const payload = random.fill(new Uint8Array(1 + i * 7));
      if (i % 2 === 0) payload[0]! |= 0xc0;
      if (i % 4 === 0) payload.set([0, 0, 0, 1].slice(0, payload.length - 1), 1);
      return link.packet("control", payload, `s${i % 50}`);
    }),
  ];
}

meshTest(
  "no message of a neighbour harms the node, whichever field is out of range",
  { kinds: ["ours"] },
  async (mesh) => {
    const { budget, victim, good, port } = await victimAndNeighbour(mesh);
    let link = await RawLink.up(port, "evil0", VICTIM);
    const messages = [
      Uint8Array.of(),
      ...Array.from({ length: 252 }, (_, i) => message(i + 4, "anything")),
      ...badRoutes(link),
      ...badAdvertisements(),
      ...badPackets(link),
    ];
    let links = 1;
    for (const bad of messages) {
      await link.send(bad);
      if (await link.answers()) continue;
      // It made the node drop the link, which is a good answer too.
      link = await RawLink.up(port, `evil${links++}`, VICTIM);
    }
    // What only a neighbour can say about itself ends the link, each time.
    const contradictions = [
      { forwardingNode: "somebody else" },
      { connections: new Map([[VICTIM, 5]]) },
      { connections: new Map() },
    ];
    for (const contradiction of contradictions) {
      // A neighbour that lists the node must go on doing so.
      await link.introduce();
      await link.send(encodeRouteMessage(link.route(contradiction)));
      await link.closed();
      link = await RawLink.up(port, link.nodeId, VICTIM);
    }
    await link.send(message(MessageType.Reject, "[]"));
    await link.closed();
    budget.assertKept(250);
    await assertUnharmed(victim, good);
    const { KnownConnectionCosts, Advertisements } = await victim.status();
    const text = JSON.stringify([KnownConnectionCosts, Advertisements]);
    assert.doesNotMatch(text, /\\n|\\u0000|x{1000}/, "what is not printable was not taken");
  },
);

meshTest(
  "no first message and no torn frame harms the node",
  { kinds: ["ours"] },
  async (mesh) => {
    const { budget, victim, good, port } = await victimAndNeighbour(mesh);
    const sample = await RawLink.connect(port, "evil", VICTIM);
    const firsts = [...badRoutes(sample).filter((_, i) => i % 5 === 0), ...badPackets(sample)];
    const link = await RawLink.connect(port, "first", VICTIM);
    for (const first of firsts) await link.send(first);
    await link.closeWrite();
    await link.closed();

    const refused = [
      sample.route({ forwardingNode: VICTIM }),
      sample.route({ forwardingNode: "good" }),
    ];
    for (const route of refused) {
      const stranger = await RawLink.connect(port, route.forwardingNode, VICTIM);
      await stranger.send(encodeRouteMessage(route));
      await stranger.closed();
    }

    const random = seededRandom(11);
    const torn = [
      Uint8Array.of(0xff),
      Uint8Array.of(0xff, 0xff),
      Uint8Array.of(0xff, 0xff, 1, 2, 3),
      new Uint8Array(10_000),
      ...Array.from({ length: 50 }, () => random.fill(new Uint8Array(20_000))),
    ];
    for (const bytes of torn) {
      using broken = await RawLink.connect(port, "torn", VICTIM);
      await broken.write(bytes);
      await broken.closeWrite();
      await broken.closed();
    }
    sample[Symbol.dispose]();
    budget.assertKept(250);
    await assertUnharmed(victim, good);
  },
);

meshTest(
  "a neighbour that floods gets no memory and takes nobody's service away",
  { kinds: ["ours"], timeoutMs: FLOODS_MS },
  async (mesh) => {
    const { budget, victim, good, port } = await victimAndNeighbour(mesh);
    const link = await RawLink.up(port, "flooder", VICTIM);
    const payload = new Uint8Array(1_000);
    const floods: [what: string, count: number, make: (i: number) => Uint8Array][] = [
      ["packets to nobody", 20_000, () => link.packet("nothing", payload)],
      ["packets to QUIC", 20_000, (i) => link.packet("control", payload, `s${i % 5000}`)],
      ["packets with no hops", 20_000, () => link.packet("ping", payload, "probe", 0)],
      ["pings", 20_000, () => link.packet("ping", payload)],
      ["notices", 10_000, (i) =>
        link.packet(
          "unreach",
          encodeUnreachable({
            fromNode: VICTIM,
            toNode: "good",
            fromService: "control",
            toService: `s${i}`,
            problem: "blocked by firewall",
          }),
        )],
      ["notices that are none", 10_000, () => link.packet("unreach", payload)],
      [
        "updates in the victim's name",
        10_000,
        (i) =>
          encodeRouteMessage(link.route({
            nodeId: VICTIM,
            epoch: 1n << 62n,
            sequence: BigInt(i),
            updateId: `v${i}`,
          })),
      ],
      ["suspicions", 10_000, (i) =>
        encodeRouteMessage(link.route({
          nodeId: "good",
          epoch: 1n,
          sequence: BigInt(i),
          updateId: `d${i}`,
          suspectedDuplicate: 1n,
        }))],
      [
        "invented nodes",
        12_000,
        (i) => encodeRouteMessage(link.route({ nodeId: `invented${i}`, updateId: `i${i}` })),
      ],
      ["invented nodes with many links", 5_000, (i) =>
        encodeRouteMessage(link.route({
          nodeId: `meshed${i}`,
          updateId: `m${i}`,
          connections: new Map(Array.from({ length: 20 }, (_, j) => [`meshed${i - 7 * j}`, 1])),
        }))],
      ["nodes with thousands of links", 250, (i) =>
        encodeRouteMessage(link.route({
          nodeId: `hub${i}`,
          updateId: `h${i}`,
          connections: new Map(Array.from({ length: 3_000 }, (_, j) => [`leaf${i * j}`, 1])),
        }))],
      [
        "updates of one node",
        10_000,
        (i) =>
          encodeRouteMessage(
            link.route({ nodeId: "busy", sequence: BigInt(i), updateId: `b${i}` }),
          ),
      ],
      ["advertisements", 14_000, (i) =>
        encodeAdvertisement({
          nodeId: `invented${i}`,
          service: `s${i}`,
          time: new Date().toISOString(),
          connectionType: 1,
          tags: null,
          workCommands: null,
          cancel: false,
        })],
      ["advertisements of many work types", 3_000, (i) => {
        const nodeId = JSON.stringify(`worker${i}`);
        const Time = JSON.stringify(new Date().toISOString());
        return message(
          MessageType.Advertisement,
          `{"NodeID":${nodeId},"Service":"s","Time":${Time},"WorkCommands":[${SMALL_COMMANDS}]}`,
        );
      }],
    ];
    for (const [what, count, make] of floods) {
      for (let at = 0; at < count; at += BATCH) {
        await link.send(...Array.from({ length: BATCH }, (_, i) => make(at + i)));
        if (at !== count / 2) continue;
        for (const node of [good, victim]) await answers(node, VICTIM, `amid ${what}`);
      }
      await answers(good, VICTIM, `after ${what}`);
      budget.assertKept(FLOODED_MEBIBYTES, what);
    }
    // All that is in the tables now.
    assert.equal((await victim.status()).NodeID, VICTIM);
    budget.assertKept(FLOODED_MEBIBYTES, "status");
    link[Symbol.dispose]();
    await assertUnharmed(victim, good);
  },
);

meshTest(
  "links under a hundred names that flood at the same time leave others their turns",
  { kinds: ["ours"], timeoutMs: FLOODS_MS },
  async (mesh) => {
    const { budget, victim, good, port } = await victimAndNeighbour(mesh);
    const links = await Promise.all(
      Array.from({ length: 100 }, (_, i) => RawLink.up(port, `evil${i}`, VICTIM)),
    );
    budget.begin();
    const floods = links.map(async (link, owner) => {
      for (let at = 0; at < 1_000; at += 100) {
        await link.send(...Array.from({ length: 100 }, (_, i) =>
          encodeRouteMessage(link.route({
            nodeId: `invented${owner}`,
            sequence: BigInt(at + i),
            updateId: `${owner}.${at + i}`,
          }))));
      }
      assert.ok(await link.answers());
    });
    await Promise.all([...floods, good.json(`ping ${VICTIM}`), victim.json("ping good")]);
    budget.assertKept(300);
    for (const link of links) link[Symbol.dispose]();
    await assertUnharmed(victim, good);
  },
);
