/**
 * One unit of work on its way from `a` to `c`: what clients asked for it, what they were told, and
 * whether all of it was true in the end.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { ControlRefusal, type ControlSession } from "../support/control_session.ts";
import type { HeldJob } from "../support/echo_job.ts";
import { eventually } from "../support/eventually.ts";
import { randomBytes } from "../support/payload.ts";
import type { TestNode, UnitStatus } from "../support/test_node.ts";
import type { StrainedMesh } from "./strained_mesh.ts";

/** More than goes to another node in one piece, with a part of it left over. */
const OUTPUT_BYTES = 300_001;

const COMPLETE = ["Succeeded", "Failed", "Canceled"];

/** Of a unit that did not start in its time. */
const EXPIRED = /^Work unit expired on /;
/** Of a unit whose payload was cut off on its way here. */
const NEVER_WHOLE = /^Error reading input data/;

/** Pause between two looks at a unit that has yet to end. */
const LOOK_INTERVAL_MS = 100;

/** A node id that no node has. */
export const NOWHERE = "nowhere";

/** How far a submit came, as its client knows. */
type Submitted = "perhaps" | "created" | "acknowledged";

export class TrackedUnit implements Disposable {
  readonly mesh: StrainedMesh;
  readonly id: string;
  readonly output = randomBytes(OUTPUT_BYTES);
  readonly #job: HeldJob;
  readonly #over = new AbortController();
  submitted: Submitted = "perhaps";
  cancelAsked = false;
  releaseAsked = false;
  ttlSeconds: number | undefined;
  /** The state in which it was complete, by the node that said so. */
  readonly #final = new Map<string, { state: string; seenAt: number }>();
  /** What was seen that must not be. */
  readonly #faults = new Set<string>();
  /** A client was told so. */
  #released = false;

  private constructor(mesh: StrainedMesh, id: string, job: HeldJob) {
    this.mesh = mesh;
    this.id = id;
    this.#job = job;
  }

  /** `id` is letters and digits, and is the unit's on both nodes. */
  static async create(mesh: StrainedMesh, id: string): Promise<TrackedUnit> {
    return new TrackedUnit(mesh, id, await mesh.job.hold(id));
  }

  /** Where it is submitted. */
  get near(): TestNode {
    return this.mesh.node("a");
  }

  get payload(): Uint8Array {
    return this.mesh.job.payload(this.id, this.output);
  }

  /** The command that submits it to `target`. */
  submission(target: string): Record<string, string> {
    return {
      command: "work",
      subcommand: "submit",
      node: target,
      worktype: "echo",
      tlsclient: "client",
      workUnitID: this.id,
      ...(this.ttlSeconds === undefined ? {} : { ttl: `${this.ttlSeconds}s` }),
    };
  }

  /** Submits it to `c` and waits until its job runs. */
  async run(): Promise<void> {
    await using session = await this.near.session();
    await session.command(this.submission("c"));
    this.submitted = "created";
    await session.write(this.payload);
    await session.closeWrite();
    await this.takeReply(session);
    await eventually(async () => await this.mesh.job.runs(this.id) > 0, {
      what: `the job of ${this.id}`,
    });
  }

  /** The last line of a submit. */
  async takeReply(session: ControlSession): Promise<void> {
    const line = await session.readLine();
    if (line === null) return;
    const isOwn = !line.startsWith("ERROR") && JSON.parse(line).unitid === this.id;
    if (isOwn) this.submitted = "acknowledged";
    else if (!this.cancelAsked && !this.releaseAsked) this.#fault(`submit was answered: ${line}`);
  }

  /** Resolves when the node that is to run it knows of it, or when `signal` aborts. */
  async arrival(signal: AbortSignal): Promise<void> {
    const folder = this.mesh.node("c").unitFolder(this.id);
    await eventually(() => signal.aborted || existsSync(folder), {
      what: `the arrival of ${this.id}`,
      intervalMs: 1,
    });
  }

  /** Notes what a client of `node`, which asked at `askedAt`, was shown. */
  observe(
    { StateName, Detail, StdoutSize }: UnitStatus,
    { node = "a", askedAt }: { node?: string; askedAt: number },
  ): void {
    const final = this.#final.get(node);
    if (final !== undefined && final.seenAt < askedAt && StateName !== final.state) {
      this.#fault(`on ${node} it is ${StateName} (${Detail}), but had been ${final.state}`);
    }
    if (StdoutSize > OUTPUT_BYTES) this.#fault(`it shows ${StdoutSize} bytes of output`);
    if (!COMPLETE.includes(StateName)) return;
    if (final === undefined) this.#final.set(node, { state: StateName, seenAt: performance.now() });
    // A payload that was cut off on its way to the other node is sent there again.
    // One that has expired before it was known to run is cancelled there.
    const isOwnAffair = node !== "a" &&
      (NEVER_WHOLE.test(Detail) || (StateName === "Canceled" && this.ttlSeconds !== undefined));
    if (!isOwnAffair) this.#checkEnd(StateName, Detail);
  }

  /** Notes output that a client got at `position`. */
  observeOutput(position: number, bytes: Uint8Array): void {
    const expected = this.output.subarray(position, position + bytes.length);
    if (!Buffer.from(bytes).equals(expected)) {
      this.#fault(`output from byte ${position} on is not what the job wrote`);
    }
  }

  /** Notes that a node which runs showed no such unit. */
  observeLoss(): void {
    if (!this.releaseAsked && this.submitted !== "perhaps") this.#fault("it was not listed");
  }

  /** Notes a results stream that ended, after `size` bytes in all, before its unit did. */
  observeEarlyEnd(size: number, { StateName, StdoutSize }: UnitStatus): void {
    this.#fault(`its results ended at ${size} of ${StdoutSize} bytes while it is ${StateName}`);
  }

  /** Notes a refusal that nothing about the unit accounts for. */
  observeRefusal(command: string, refusal: ControlRefusal): void {
    if (!this.mesh.wasStopped(this.near)) {
      this.#fault(`${command} was refused: ${refusal.message}`);
    }
  }

  /** Notes the reply to a cancel or a release. */
  observeReply(wish: "cancel" | "release", reply: string): void {
    if (reply.startsWith("ERROR: unknown work unit ")) {
      if (!this.releaseAsked) this.#fault(`${wish} was answered: ${reply}`);
      return;
    }
    const [[word, id] = []] = reply.startsWith("{") ? Object.entries(JSON.parse(reply)) : [];
    const known = {
      cancel: ["cancelled", "cancel pending"],
      release: ["released", "release pending"],
    };
    if (!known[wish].includes(word ?? "") || id !== this.id) {
      this.#fault(`${wish} was answered: ${reply}`);
    }
    if (word === "released") this.#released = true;
  }

  /** Lets the job, whenever it may run, write its second half and end. */
  letGo(): void {
    this.#job.letGo();
  }

  /** `work status`, or `undefined` when the node knows no such unit. */
  async status(): Promise<UnitStatus | undefined> {
    const askedAt = performance.now();
    try {
      const status = await this.near.unitStatus(this.id);
      this.observe(status, { askedAt });
      return status;
    } catch (error) {
      if (isUnknownUnit(error)) return undefined;
      throw error;
    }
  }

  /** Completes the unit and releases it; throws if anything reported about it was not true. */
  async verify(): Promise<void> {
    this.letGo();
    if (this.#released && await this.status() !== undefined) {
      this.#fault("released, and still there");
    }
    let last: UnitStatus | undefined;
    const end = await eventually(async () => {
      const status = last = await this.status();
      if (this.#faults.size > 0) return "at fault";
      if (status === undefined) return "gone";
      return !this.releaseAsked && COMPLETE.includes(status.StateName) ? status : undefined;
    }, {
      what: () => `the end of ${this.id}: ${JSON.stringify(last)}`,
      intervalMs: LOOK_INTERVAL_MS,
    });
    if (end === "gone") this.observeLoss();
    else if (end !== "at fault") await this.#verifyOutput(end);
    await this.#release();
    const runs = await this.mesh.job.runs(this.id);
    if (runs > 1) this.#fault(`its job ran ${runs} times`);
    const wishes = [
      this.submitted,
      ...(this.cancelAsked ? ["cancel asked"] : []),
      ...(this.ttlSeconds === undefined ? [] : [`ttl ${this.ttlSeconds} s`]),
    ];
    const problems = [...this.#faults].join("; ");
    assert.equal(problems, "", `${this.id} (${wishes.join(", ")}): ${problems}`);
  }

  /** Aborts when nobody is interested in the unit any more. */
  get signal(): AbortSignal {
    return this.#over.signal;
  }

  [Symbol.dispose](): void {
    this.#over.abort(new Error(`${this.id} is given up`));
    this.#job[Symbol.dispose]();
  }

  async #verifyOutput({ StateName, StdoutSize, Detail }: UnitStatus): Promise<void> {
    await using results = await this.near.results(this.id);
    const bytes = await results.readAll();
    this.observeOutput(0, bytes);
    const runs = await this.mesh.job.runs(this.id);
    if (bytes.length !== StdoutSize) {
      this.#fault(`it is ${StateName} with ${StdoutSize} bytes and gives ${bytes.length}`);
    }
    if (StateName === "Succeeded") {
      if (bytes.length !== OUTPUT_BYTES) this.#fault(`it succeeded with ${bytes.length} bytes`);
      if (runs !== 1) this.#fault(`it succeeded, and its job ran ${runs} times`);
    } else if (StateName === "Failed" && runs > 0 && !EXPIRED.test(Detail)) {
      this.#fault(`it failed, and its job ran: ${Detail}`);
    }
  }

  async #release(): Promise<void> {
    this.releaseAsked = true;
    await eventually(async () => {
      await this.near.json(`work release ${this.id}`).catch((error) => {
        if (!isUnknownUnit(error)) throw error;
      });
      return await this.status() === undefined;
    }, { what: `the release of ${this.id}` });
  }

  /** Whether a unit may have ended like this. */
  #checkEnd(state: string, detail: string): void {
    const { cancelAsked, releaseAsked, ttlSeconds, submitted } = this;
    const isStopped = cancelAsked || releaseAsked;
    if (state === "Succeeded") return;
    if (isStopped && (state === "Canceled" || detail === "Locally Cancelled")) return;
    if (ttlSeconds !== undefined && EXPIRED.test(detail)) return;
    if (submitted !== "acknowledged" && NEVER_WHOLE.test(detail)) return;
    this.#fault(`it is ${state}: ${detail}`);
  }

  #fault(what: string): void {
    this.#faults.add(what);
  }
}

export function isUnknownUnit(error: unknown): boolean {
  return error instanceof ControlRefusal && error.message.startsWith("unknown work unit ");
}
