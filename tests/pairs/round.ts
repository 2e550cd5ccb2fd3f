/** One round on a mesh: its units are watched all along, and afterwards the mesh must be whole. */
import type { ControlSession } from "../support/control_session.ts";
import { within } from "../support/eventually.ts";
import type { UnitStatus } from "../support/test_node.ts";
import type { StrainedMesh } from "./strained_mesh.ts";
import { TrackedUnit } from "./tracked_unit.ts";
import { checkWhole, logEnds } from "./whole_mesh.ts";

/** What came of everything that a round tried, by name: `undefined` or what went wrong. */
export type Findings = Map<string, unknown>;

/** A round that hangs must fail and not stop the others. */
const LIMIT_MS = 240_000;

/** Pause between two looks at the lists of units. */
const WATCH_INTERVAL_MS = 25;

let unitsMade = 0;

export class Round {
  readonly mesh: StrainedMesh;
  readonly #findings: Findings = new Map();
  readonly #units = new Map<string, TrackedUnit>();

  private constructor(mesh: StrainedMesh) {
    this.mesh = mesh;
  }

  /** Runs `body`, then looks at the mesh; `name` says in the findings what all of it was. */
  static async run(
    mesh: StrainedMesh,
    name: string,
    body: (round: Round) => Promise<void>,
  ): Promise<Findings> {
    const round = new Round(mesh);
    await round.note(name, async () => {
      using units = new DisposableStack();
      units.defer(() => round.#units.forEach((unit) => unit[Symbol.dispose]()));
      const before = logEnds(mesh);
      for (const node of mesh.nodes) mesh.firstDescriptors(node);
      const watch = round.#watchLists();
      try {
        await within(LIMIT_MS, "the end of the round", body(round));
      } finally {
        await watch.end();
      }
      // After a failed trial, the rest of it says nothing new.
      if (![...round.#findings.values()].some(isFault)) await checkWhole(mesh, before);
    });
    return round.#findings;
  }

  /** Tries something; what it throws becomes a finding. */
  async note(name: string, trial: () => Promise<void>): Promise<void> {
    try {
      await trial();
      this.#findings.set(name, undefined);
    } catch (error) {
      this.#findings.set(name, error);
    }
  }

  /** A unit that is not submitted yet, with an id that tells what it is for. */
  async unit(...words: string[]): Promise<TrackedUnit> {
    const id = `${words.join("X")}N${++unitsMade}`.replaceAll(/[^A-Za-z0-9]/g, "");
    const unit = await TrackedUnit.create(this.mesh, id);
    this.#units.set(id, unit);
    return unit;
  }

  /** Looks at the lists of both ends of the work all the time, and at each unit in them. */
  #watchLists(): { end(): Promise<void> } {
    const sessions = new Set<ControlSession>();
    let isOver = false;
    const pause = () => new Promise((resolve) => setTimeout(resolve, WATCH_INTERVAL_MS));
    const watching = Promise.all([this.mesh.node("a"), this.mesh.node("c")].map(async (node) => {
      while (!isOver) {
        try {
          await using session = await node.session();
          sessions.add(session);
          while (!isOver) {
            const asked = { node: node.id, askedAt: performance.now() };
            for (const [id, status] of Object.entries(await session.json("work list"))) {
              this.#units.get(id)?.observe(status as UnitStatus, asked);
            }
            await pause();
          }
        } catch {
          // The daemon is away.
          await pause();
        }
      }
    }));
    return {
      async end() {
        isOver = true;
        // One may wait for an answer that never comes.
        for (const session of sessions) session.close();
        await watching;
      },
    };
  }
}

export function isFault(finding: unknown): boolean {
  return finding !== undefined;
}
