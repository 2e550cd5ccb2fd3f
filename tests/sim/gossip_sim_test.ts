/**
 * What nodes repeat about each other dies out, whatever happens: meshes of any shape, in which
 * nodes stop and start again, links are cut, services are offered and withdrawn, and messages
 * arrive late, out of order and twice.
 */
import { deepEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import type { MeshListener } from "../../lib/netceptor/mesh.ts";
import { seededRandom } from "./seeded_random.ts";
import { inTime, type SimLink, SimMesh, type SimNode } from "./sim_mesh.ts";
import { untidySessionPair } from "./untidy_link.ts";

const MINUTE = 60_000;
/** Long enough for a flood to have passed through the whole mesh. */
const FLOOD_MS = 15_000;
/** More messages than any of these meshes sends at rest. A storm would not let the test end. */
const STORM = 40_000;
const SERVICES = ["s1", "s2", "s3"];

interface Edge {
  readonly ends: readonly [number, number];
  readonly cost: number;
  link: SimLink | undefined;
}

interface Member {
  readonly id: string;
  node: SimNode | undefined;
  readonly services: Map<string, MeshListener>;
  /** Those it offered when it stopped and has not offered since: the mesh keeps them on record. */
  readonly onRecord: Set<string>;
}

class Village implements AsyncDisposable {
  readonly mesh: SimMesh;
  readonly members: Member[];
  readonly edges: Edge[];
  /** Messages sent over all links. */
  messages = 0;
  readonly #random;

  constructor(seed: number, size: number, edges: readonly Omit<Edge, "link">[]) {
    this.mesh = new SimMesh(seed);
    this.#random = seededRandom(seed);
    this.members = Array.from({ length: size }, (_, i) => ({
      id: `n${i}`,
      node: undefined,
      services: new Map(),
      onRecord: new Set(),
    }));
    this.edges = edges.map((edge) => ({ ...edge, link: undefined }));
    for (let i = 0; i < size; i++) this.start(i);
  }

  /** Starts a node and links it to its running neighbours. */
  start(index: number): void {
    const member = this.members[index]!;
    if (member.node !== undefined) return;
    member.node = this.mesh.add(member.id);
    for (const edge of this.edges) if (edge.ends.includes(index)) this.join(edge);
  }

  join(edge: Edge): void {
    const [a, b] = edge.ends.map((end) => this.members[end]!.node);
    if (edge.link !== undefined || a === undefined || b === undefined) return;
    const { clock } = this.mesh;
    const pair = untidySessionPair(
      { clock, random: this.#random, onMessage: () => ++this.messages < STORM },
      [a.netceptor.nodeId, b.netceptor.nodeId],
    );
    this.mesh.attach(a, pair[0], { cost: edge.cost });
    this.mesh.attach(b, pair[1], { cost: edge.cost });
    edge.link = { cut: () => pair.forEach((session) => session.close()) };
  }

  cut(edge: Edge): void {
    edge.link?.cut();
    edge.link = undefined;
  }

  async stop(index: number): Promise<void> {
    const member = this.members[index]!;
    const { netceptor } = member.node!;
    netceptor.leaveServicesOnRecord();
    for (const [service, listener] of member.services) {
      await listener[Symbol.asyncDispose]();
      member.onRecord.add(service);
    }
    member.services.clear();
    await inTime(this.mesh.clock, netceptor[Symbol.asyncDispose]());
    member.node = undefined;
    for (const edge of this.edges) if (edge.ends.includes(index)) this.cut(edge);
  }

  /** The running nodes. */
  get running(): number[] {
    return this.members.keys().filter((i) => this.members[i]!.node !== undefined).toArray();
  }

  /** The running nodes that `index` can reach, itself among them: one may start beside a stopped one. */
  reachable(index: number): number[] {
    const distances = this.distances()[index]!;
    return this.running.filter((i) => distances[i]! < Infinity);
  }

  /** Least cost between any two running nodes (Floyd and Warshall's algorithm). */
  distances(edges = this.edges.filter(({ link }) => link !== undefined)): number[][] {
    const size = this.members.length;
    const costs = Array.from(
      { length: size },
      (_, i) => Array.from({ length: size }, (_, j) => i === j ? 0 : Infinity),
    );
    for (const { ends: [a, b], cost } of edges) {
      costs[a]![b] = costs[b]![a] = Math.min(cost, costs[a]![b]!);
    }
    for (let k = 0; k < size; k++) {
      for (let i = 0; i < size; i++) {
        for (let j = 0; j < size; j++) {
          costs[i]![j] = Math.min(costs[i]![j]!, costs[i]![k]! + costs[k]![j]!);
        }
      }
    }
    return costs;
  }

  /** Whether the running nodes except `without` are still connected without `cutEdge`. */
  staysWhole(change: { without?: number; cutEdge?: Edge }): boolean {
    const nodes = this.running.filter((i) => i !== change.without);
    const distances = this.distances(
      this.edges.filter((edge) =>
        edge.link !== undefined && edge !== change.cutEdge && !edge.ends.includes(change.without!)
      ),
    );
    return nodes.length >= 2 &&
      nodes.every((i) => nodes.every((j) => distances[i]![j]! < Infinity));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.mesh[Symbol.asyncDispose]();
  }
}

const event = fc.record({
  kind: fc.constantFrom("offer", "offer", "withdraw", "withdraw", "stop", "start", "cut", "join"),
  target: fc.nat(1000),
  service: fc.constantFrom(...SERVICES),
  /** Less than a flood takes, or much more. */
  waitMs: fc.constantFrom(0, 100, 3_000, 70_000),
});

const scenario = fc.record({
  seed: fc.nat(1_000_000),
  size: fc.integer({ min: 3, max: 7 }),
  /** For each node but the first: which of those before it it is linked to, and at what cost. */
  tree: fc.array(fc.tuple(fc.nat(1000), fc.integer({ min: 1, max: 3 })), {
    minLength: 6,
    maxLength: 6,
  }),
  /** More links, which make rings. */
  more: fc.array(fc.tuple(fc.nat(1000), fc.nat(1000), fc.integer({ min: 1, max: 3 })), {
    minLength: 2,
    maxLength: 8,
  }),
  events: fc.array(event, { minLength: 5, maxLength: 25, size: "max" }),
});

type Scenario = typeof scenario extends fc.Arbitrary<infer T> ? T : never;

function edgesOf({ size, tree, more }: Scenario): Omit<Edge, "link">[] {
  const edges = new Map<string, Omit<Edge, "link">>();
  const add = (a: number, b: number, cost: number) => {
    const ends = [Math.min(a, b), Math.max(a, b)] as const;
    if (a !== b && !edges.has(ends.join())) edges.set(ends.join(), { ends, cost });
  };
  for (let i = 1; i < size; i++) add(i, tree[i - 1]![0] % i, tree[i - 1]![1]);
  for (const [a, b, cost] of more) add(a % size, b % size, cost);
  return [...edges.values()];
}

async function apply(village: Village, { kind, target, service, waitMs }: Scenario["events"][0]) {
  const index = target % village.members.length;
  const member = village.members[index]!;
  const edge = village.edges[target % village.edges.length]!;
  switch (kind) {
    case "offer":
      if (member.node === undefined || member.services.has(service)) break;
      member.onRecord.delete(service);
      member.services.set(
        service,
        await member.node.netceptor.listen(service, { advertise: { tags: {} } }),
      );
      break;
    case "withdraw": {
      const offering = village.members.filter(({ services }) => services.size > 0);
      const services = offering[target % offering.length]?.services;
      const [first] = services ?? [];
      if (services === undefined || first === undefined) break;
      await first[1][Symbol.asyncDispose]();
      services.delete(first[0]);
      break;
    }
    case "stop":
      if (member.node === undefined || !village.staysWhole({ without: index })) break;
      // What it said last must have got through: nobody else can say it again.
      await village.mesh.clock.advance(FLOOD_MS);
      await village.stop(index);
      break;
    case "start":
      village.start(index);
      break;
    case "cut":
      if (!village.staysWhole({ cutEdge: edge })) break;
      await village.mesh.clock.advance(FLOOD_MS);
      village.cut(edge);
      break;
    case "join":
      village.join(edge);
      break;
  }
  await village.mesh.clock.advance(waitMs);
}

/** The services of the nodes that `index` can reach, as it knows them. */
function known(village: Village, index: number): string[] {
  const members = new Map(
    village.reachable(index).map((i) => [village.members[i]!.id, village.members[i]!]),
  );
  return village.members[index]!.node!.netceptor.status(["Advertisements"]).Advertisements
    .filter(({ NodeID, Service }) => members.get(NodeID)?.onRecord.has(Service) === false)
    .map(({ NodeID, Service }) => `${NodeID}:${Service}`).sort();
}

function checkRoutes(village: Village): void {
  const distances = village.distances();
  for (const i of village.running) {
    const { RoutingTable } = village.members[i]!.node!.netceptor.status(["RoutingTable"]);
    const others = village.running.filter((j) => distances[i]![j]! < Infinity && j !== i);
    deepEqual(Object.keys(RoutingTable).sort(), others.map((j) => `n${j}`));
    for (const j of others) {
      const next = Number(RoutingTable[`n${j}`]!.slice(1));
      equal(distances[i]![next]! + distances[next]![j]!, distances[i]![j]!, `n${i} to n${j}`);
    }
  }
}

Deno.test("whatever happens, a mesh comes to rest, agrees on services and finds the best routes", async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async (scenario) => {
      await using village = new Village(scenario.seed, scenario.size, edgesOf(scenario));
      const { clock } = village.mesh;
      await clock.advance(FLOOD_MS);
      for (const event of scenario.events) await apply(village, event);
      await clock.advance(2 * MINUTE);

      const before = village.messages;
      ok(before < STORM, "a storm of messages");
      await clock.advance(2 * MINUTE);
      const perMinute = (village.messages - before) / 2;
      const up = village.edges.filter(({ link }) => link !== undefined).length;
      const offeredBy = (nodes: readonly number[]) =>
        nodes.flatMap((i) =>
          village.members[i]!.services.keys().map((service) => `n${i}:${service}`).toArray()
        ).sort();
      // Each node reports its links every ten seconds and its services every minute, and each of
      // these messages passes over a link at most once in each direction.
      const expected = 2 * up * (6 * village.running.length + offeredBy(village.running).length);
      ok(perMinute <= expected + 2 * up, `${perMinute} messages a minute, not ${expected}`);
      ok(perMinute > 0);
      for (const i of village.running) {
        deepEqual(known(village, i), offeredBy(village.reachable(i)), `as n${i} knows`);
      }
      checkRoutes(village);
    }),
    { numRuns: 30 },
  );
});
