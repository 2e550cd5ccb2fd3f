/**
 * Faults hide where two features meet. Here each one strikes in the middle of each other, on meshes
 * of real daemons with TLS everywhere: a line a-b-c, where a broken link leaves no way, and a ring
 * a-b-c-d, where a longer one is left. `a` submits, `c` executes.
 *
 * What a client asks for (`requests.ts`): submit (with half of its payload sent), start (the payload
 * on its way to `c`, or the job being started), list, status, results, cancel, release, and a ttl that
 * passes. What happens to the mesh (`disturbances.ts`): reload, a reload that is refused, stop,
 * kill -9, a link cut, and a certificate renewed; each on `a`, on `b`, on `c`.
 *
 * - Requests meet requests on one unit, or on two where the second is one that makes a unit.
 * - Each request meets each disturbance in each place, in both orders.
 * - Disturbances meet each other, each kind in the middle of each kind; the places take turns.
 *
 * Afterwards everything is repaired, and then (`tracked_unit.ts`, `whole_mesh.ts`) every job has run at
 * most once, every unit is in a final state that matches what happened, its output was right at every
 * moment, what was released is gone from both nodes, every route takes a shortest path, and every
 * daemon answers, is idle, holds no more descriptors than before, and has logged no bug of its own.
 *
 * What cannot meet: a request strikes no daemon that is dead, nor does a second disturbance; a link
 * that is cut cannot be cut. A payload on its way to a daemon that dies is tried with each disturbance
 * alone only, since a broken stream may be noticed only after its idle time of 30 s.
 *
 * RECEPTOR_TEST_ROUND, a regular expression, picks rounds by their names.
 */
import { type Findings, isFault } from "./round.ts";
import { roundOfDisturbance, roundOfRequests, roundOfTwo } from "./rounds.ts";
import { type Shape, StrainedMesh } from "./strained_mesh.ts";
import { allDisturbances, pairsOfDisturbances } from "./table.ts";

interface PlannedRound {
  readonly name: string;
  run(mesh: StrainedMesh): Promise<Findings>;
}

/** Meshes that try rounds at the same time. They wait most of the time, for redials above all. */
const LANES: readonly Shape[] = ["line", "ring", "line", "ring", "line", "ring"];

function roundsOf(shape: Shape): PlannedRound[] {
  const rounds: PlannedRound[] = [
    { name: "requests", run: roundOfRequests },
    ...allDisturbances().map((one) => ({
      name: one.name,
      run: (mesh: StrainedMesh) => roundOfDisturbance(mesh, one),
    })),
    ...pairsOfDisturbances(shape).map((two) => ({
      name: two.map(({ name }) => name).join(" meets "),
      run: (mesh: StrainedMesh) => roundOfTwo(mesh, two),
    })),
  ];
  const wanted = new RegExp(Deno.env.get("RECEPTOR_TEST_ROUND") ?? "");
  return rounds.filter(({ name }) => wanted.test(name));
}

/** Tries rounds, one after the other, on a mesh that is whole; one that is not is replaced. */
async function runLane(
  shape: Shape,
  rounds: PlannedRound[],
  onFindings: (findings: Findings) => void,
): Promise<void> {
  let mesh: StrainedMesh | undefined;
  try {
    for (let round; (round = rounds.shift()) !== undefined;) {
      mesh ??= await StrainedMesh.start(shape);
      const findings = await round.run(mesh);
      onFindings(findings);
      if (![...findings.values()].some(isFault)) continue;
      Deno.stderr.writeSync(new TextEncoder().encode(mesh.logs()));
      await mesh[Symbol.asyncDispose]();
      mesh = undefined;
    }
  } finally {
    await mesh?.[Symbol.asyncDispose]();
  }
}

Deno.test("each feature strikes in the middle of each other", async (t) => {
  const rounds = { line: roundsOf("line"), ring: roundsOf("ring") };
  const found: [string, unknown][] = [];
  await Promise.all(
    LANES.map((shape) => runLane(shape, rounds[shape], (findings) => found.push(...findings))),
  );
  for (const [name, error] of found) {
    await t.step(name, () => {
      if (isFault(error)) throw error;
    });
  }
});
