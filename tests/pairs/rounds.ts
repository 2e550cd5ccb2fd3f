/** How pairs meet: requests each other, many requests one disturbance, and disturbances each other. */
import type { Disturbance } from "./disturbances.ts";
import { type Begun, type Request, requests } from "./requests.ts";
import { type Findings, Round } from "./round.ts";
import type { StrainedMesh } from "./strained_mesh.ts";
import { NOWHERE, type TrackedUnit } from "./tracked_unit.ts";

/** Each request with each other, all at once: the second comes in the middle of the first. */
export function roundOfRequests(mesh: StrainedMesh): Promise<Findings> {
  const pairs = requests.flatMap((first) => requests.map((second) => [first, second] as const));
  return Round.run(mesh, `all requests at once (${mesh.shape})`, async (round) => {
    await Promise.all(
      pairs.map(([first, second]) =>
        round.note(pairName(mesh, first.name, second.name), async () => {
          const unit = await prepared(round, first, second.name);
          const other = second.makesUnit ? await round.unit(second.name, "in", first.name) : unit;
          const begun = first.begin(unit, targetOf(first));
          await begun.middle;
          await endAll([begun, second.begin(other, targetOf(second))]);
          await Promise.all(new Set([unit, other]).values().map((one) => one.verify()));
        })
      ),
    );
  });
}

/** All requests meet one disturbance: begun before it, and begun in its middle. */
export function roundOfDisturbance(
  mesh: StrainedMesh,
  disturbance: Disturbance,
): Promise<Findings> {
  return Round.run(mesh, `all requests and ${disturbance.name} (${mesh.shape})`, async (round) => {
    const [struck, striking] = await Promise.all([
      Promise.all(requests.map((request) => trialOf(request, disturbance.name))),
      Promise.all(
        // A daemon that is dead can be asked nothing.
        (disturbance.isDead && disturbance.node === "a" ? [] : requests)
          .map((request) => trialOf(request, disturbance.name, "struck")),
      ),
    ]);
    for (const trial of struck) trial.begin();
    await Promise.all(struck.map(({ begun }) => begun!.middle));
    const running = disturbance.begin(mesh);
    await running.middle;
    for (const trial of striking) {
      // Output flows, too, and jobs end.
      trial.unit.letGo();
      trial.begin();
    }
    await running.end();
    await mesh.restore();
    await Promise.all([
      ...struck.map((trial) => verify(trial, pairName(mesh, trial.name, disturbance.name))),
      ...striking.map((trial) => verify(trial, pairName(mesh, disturbance.name, trial.name))),
    ]);
    await disturbance.verify?.(mesh);

    async function trialOf(request: Request, ...words: string[]): Promise<Trial> {
      const unit = await prepared(round, request, ...words);
      return new Trial(request, unit);
    }
    function verify({ begun, unit }: Trial, name: string): Promise<void> {
      return round.note(name, async () => {
        await begun!.end();
        await unit.verify();
      });
    }
  });
}

/** One disturbance strikes in another's middle while results, and a payload, are on their way. */
export function roundOfTwo(
  mesh: StrainedMesh,
  [first, second]: readonly [Disturbance, Disturbance],
): Promise<Findings> {
  const name = pairName(mesh, first.name, second.name);
  return Round.run(mesh, name, async (round) => {
    const endsExecutor = [first, second].some(({ node, ends }) => ends && node === "c");
    const wanted = endsExecutor ? ["results"] : ["results", "start"];
    const trials = await Promise.all(
      requests.filter(({ name }) => wanted.includes(name)).map(
        async (request) => new Trial(request, await prepared(round, request, name)),
      ),
    );
    for (const trial of trials) trial.begin();
    await Promise.all(trials.map(({ begun }) => begun!.middle));
    const begun = first.begin(mesh);
    await begun.middle;
    const struck = second.begin(mesh);
    await struck.middle;
    await endAll([begun, struck]);
    await mesh.restore();
    await endAll(trials.map(({ begun }) => begun!));
    await Promise.all(trials.map(({ unit }) => unit.verify()));
    await first.verify?.(mesh);
    await second.verify?.(mesh);
  });
}

/** One request about one unit. */
class Trial {
  readonly unit: TrackedUnit;
  readonly #request: Request;
  begun: Begun | undefined;

  constructor(request: Request, unit: TrackedUnit) {
    this.#request = request;
    this.unit = unit;
  }

  get name(): string {
    return this.#request.name;
  }

  begin(): void {
    this.begun = this.#request.begin(this.unit, "c");
  }
}

/** A unit for a request to be about; its job runs unless it is the request that makes it. */
async function prepared(round: Round, request: Request, ...words: string[]): Promise<TrackedUnit> {
  const unit = await round.unit(request.name, ...words);
  if (!request.makesUnit) await unit.run();
  return unit;
}

/** Where nothing else is broken, a unit can only expire when there is no way to its node. */
function targetOf(request: Request): string {
  return request.name === "ttl" ? NOWHERE : "c";
}

function pairName(mesh: StrainedMesh, first: string, second: string): string {
  return `${first} meets ${second} (${mesh.shape})`;
}

async function endAll(begun: readonly Begun[]): Promise<void> {
  const ends = await Promise.allSettled(begun.map((one) => one.end()));
  const failed = ends.find((end) => end.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}
