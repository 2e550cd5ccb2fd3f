/** A random sequence of requests at node `a` and of disturbances around it, replayed from a seed. */
import assert from "node:assert/strict";
import type { Random } from "../../lib/base/random.ts";
import { ControlError } from "../../lib/control/control_error.ts";
import type { UnitStatus } from "../../lib/control/work_service.ts";
import type { Workceptor } from "../../lib/workceptor/workceptor.ts";
import { seededRandom } from "../sim/seeded_random.ts";
import type { EchoJob, HeldJob } from "../support/echo_job.ts";
import { eventually } from "../support/eventually.ts";
import { randomBytes } from "../support/payload.ts";
import { auth, emptyRequest, unixCaller } from "../workceptor/_harness.ts";
import type { FastMesh } from "./fast_mesh.ts";

const STEPS = 30;
const LONGEST_PAUSE_MS = 1_500;
const OUTPUT_BYTES = [0, 5_001, 150_001];
const COMPLETE = ["Succeeded", "Failed", "Canceled"];
const NEAR = "a";
const FAR = "c";

interface Job {
  readonly id: string;
  readonly output: Uint8Array;
  readonly held: HeldJob;
  submitted: "perhaps" | "created" | "acknowledged";
  ttl: string;
  cancelAsked: boolean;
  releaseAsked: boolean;
  /** The node has answered it, and so is bound to it. */
  releaseTold: boolean;
  final: string | undefined;
}

export class Sequence implements Disposable {
  readonly #mesh: FastMesh;
  readonly #echo: EchoJob;
  readonly #random: Random;
  readonly #jobs: Job[] = [];
  readonly #running = new Set<Promise<void>>();
  readonly #story: string[] = [];
  readonly #faults: string[] = [];
  readonly #seed: number;

  constructor(mesh: FastMesh, echo: EchoJob, seed: number) {
    this.#mesh = mesh;
    this.#echo = echo;
    this.#seed = seed;
    this.#random = seededRandom(seed);
  }

  /** All that happened, a line each. */
  story(): string {
    return this.#story.join("\n");
  }

  /** Does one thing after the other without waiting for any of them to end. */
  async run(): Promise<void> {
    for (let step = 0; step < STEPS; step++) {
      await this.#step();
      if (this.#below(3) > 0) await this.#mesh.pass(this.#below(LONGEST_PAUSE_MS));
    }
  }

  /** In a repaired mesh: every unit ends in a state that matches what happened, and can be released. */
  async verify(): Promise<void> {
    this.#note("the mesh is whole");
    for (const job of this.#jobs) job.held.letGo();
    await eventually(() => this.#running.size === 0, { what: "the end of all requests" });
    await Promise.all(this.#jobs.map((job) => this.#verify(job)));
    assert.deepEqual(this.#faults, []);
  }

  [Symbol.dispose](): void {
    for (const { held } of this.#jobs) held[Symbol.dispose]();
  }

  async #step(): Promise<void> {
    const job = this.#jobs[this.#below(this.#jobs.length)];
    const link = this.#below(this.#mesh.linkCount);
    const node = ["a", "b", "c", "c"][this.#below(4)]!;
    const kind = this.#below(16);
    switch (kind) {
      case 0:
      case 1:
      case 2:
        return await this.#submit("");
      case 3:
        return await this.#submit(`${1 + this.#below(4)}s`);
      case 4:
        return this.#cut(link, 0);
      case 5:
      case 6:
        return this.#cut(link, 1 + this.#below(60_000));
      case 7:
      case 8:
        this.#note(`heal link ${link}`);
        return this.#mesh.heal(link);
      case 9:
        return this.#restart(node, this.#below(2) === 1);
    }
    if (job === undefined) return;
    switch (kind) {
      case 10:
        this.#note(`let ${job.id} go on`);
        return job.held.letGo();
      case 11:
        return this.#ask(`list`, async (work) => {
          const list = await work.list();
          for (const each of this.#jobs) {
            const shown = list[each.id];
            if (shown !== undefined) this.#observe(each, shown);
          }
        });
      case 12:
        return this.#ask(`status of ${job.id}`, async (work) => {
          this.#observe(job, await work.status(job.id));
        });
      case 13:
        return this.#ask(`results of ${job.id}`, (work) => this.#readResults(work, job));
      case 14:
        return this.#ask(`cancel ${job.id}`, async (work) => {
          job.cancelAsked = true;
          await work.cancel(job.id, auth);
        });
      case 15:
        return this.#ask(`release ${job.id}`, async (work) => {
          job.releaseAsked = true;
          await work.release(job.id, { ...auth, force: false });
          job.releaseTold = true;
        });
    }
  }

  async #submit(ttl: string): Promise<void> {
    const id = `s${this.#seed}u${this.#jobs.length}`;
    const output = randomBytes(OUTPUT_BYTES[this.#below(OUTPUT_BYTES.length)]!);
    const job: Job = {
      id,
      output,
      held: await this.#echo.hold(id),
      submitted: "perhaps",
      ttl,
      cancelAsked: false,
      releaseAsked: false,
      releaseTold: false,
      final: undefined,
    };
    this.#jobs.push(job);
    const pauseMs = this.#below(2) * this.#below(LONGEST_PAUSE_MS);
    const label = `submit ${id} with ${output.length} bytes${ttl && ` and a ttl of ${ttl}`}`;
    this.#ask(label, async (work, signal) => {
      const request = { ...emptyRequest, node: FAR, workType: "echo", ttl, workUnitId: id };
      const unit = await work.submit(request, unixCaller);
      job.submitted = "created";
      const payload = this.#echo.payload(id, output);
      const half = payload.length >> 1;
      await unit.writePayload(payload.subarray(0, half));
      await this.#mesh.pass(pauseMs);
      if (signal.aborted) return await unit.abandon("Error reading input data: the node stops");
      await unit.writePayload(payload.subarray(half));
      await unit.start();
      if (!signal.aborted) job.submitted = "acknowledged";
    });
  }

  #cut(link: number, afterBytes: number): void {
    this.#note(`cut link ${link} after ${afterBytes} bytes`);
    this.#mesh.cut(link, afterBytes);
  }

  #restart(node: string, suddenly: boolean): void {
    const pauseMs = this.#below(3 * LONGEST_PAUSE_MS);
    const restarting = async () => {
      await this.#mesh.stopNode(node, suddenly);
      await this.#mesh.pass(pauseMs);
      await this.#mesh.startNode(node);
      for (let link = 0; link < this.#mesh.linkCount; link++) this.#mesh.heal(link);
      this.#note(`${node} is back`);
    };
    if (this.#mesh.work(node) === undefined) return;
    this.#note(`${suddenly ? "kill" : "stop"} ${node}`);
    this.#track(restarting());
  }

  /** Asks node `a`, if it is there, and lets it take its time. */
  #ask(label: string, request: (work: Workceptor, life: AbortSignal) => Promise<void>): void {
    const work = this.#mesh.work(NEAR);
    if (work === undefined) return;
    const life = this.#mesh.lifeOf(NEAR);
    this.#note(label);
    this.#track(
      request(work, life).then(
        () => this.#note(`${label}: done`),
        (error) => {
          this.#note(`${label}: ${error}`);
          // A node that stops leaves requests unanswered.
          if (!(error instanceof ControlError) && !life.aborted) {
            this.#faults.push(`${label}: ${error?.stack ?? error}`);
          }
        },
      ),
    );
  }

  async #readResults(work: Workceptor, job: Job): Promise<void> {
    const signal = this.#mesh.lifeOf(NEAR);
    let size = 0;
    for await (const bytes of await work.results(job.id, { ...auth, startPos: 0, signal })) {
      this.#checkOutput(job, size, bytes);
      size += bytes.length;
    }
    if (signal.aborted) return;
    const { StateName, StdoutSize } = await work.status(job.id);
    if (!COMPLETE.includes(StateName) || size !== StdoutSize) {
      this.#faults.push(
        `results of ${job.id} ended at ${size} of ${StdoutSize} while ${StateName}`,
      );
    }
  }

  #checkOutput(job: Job, position: number, bytes: Uint8Array): void {
    const expected = job.output.subarray(position, position + bytes.length);
    if (!Buffer.from(bytes).equals(expected)) {
      this.#faults.push(`output of ${job.id} from byte ${position} on is not what it wrote`);
    }
  }

  #observe(job: Job, { StateName, Detail }: UnitStatus): void {
    if (job.final !== undefined && job.final !== StateName) {
      this.#faults.push(`${job.id} is ${StateName} (${Detail}), but had been ${job.final}`);
    }
    if (!COMPLETE.includes(StateName)) return;
    job.final = StateName;
    const isStopped = job.cancelAsked || job.releaseAsked;
    const mayEnd = StateName === "Succeeded" ||
      isStopped && (StateName === "Canceled" || Detail === "Locally Cancelled") ||
      job.ttl !== "" && Detail.startsWith("Work unit expired on ") ||
      job.submitted !== "acknowledged" && Detail.startsWith("Error reading input data");
    if (!mayEnd) this.#faults.push(`${job.id} is ${StateName}: ${Detail}`);
  }

  async #verify(job: Job): Promise<void> {
    const work = this.#mesh.work(NEAR)!;
    const status = () =>
      work.status(job.id).catch((error) => {
        if (/^unknown work unit /.test(error.message)) return undefined;
        throw error;
      });
    let last: UnitStatus | undefined;
    const end = await eventually(async () => {
      const found = last = await status();
      if (found === undefined) return "gone";
      this.#observe(job, found);
      return !job.releaseTold && COMPLETE.includes(found.StateName) ? found : undefined;
    }, { what: () => `the end of ${job.id}: ${JSON.stringify(last)}` });
    const runs = await this.#echo.runs(job.id);
    if (runs > 1) this.#faults.push(`${job.id} ran ${runs} times`);
    if (end === "gone") {
      const mayBeGone = job.releaseAsked || job.submitted === "perhaps";
      if (!mayBeGone) this.#faults.push(`${job.id} is lost`);
      return;
    }
    await this.#readResults(work, job);
    if (end.StateName === "Succeeded" && (runs !== 1 || end.StdoutSize !== job.output.length)) {
      this.#faults.push(`${job.id} succeeded: ${runs} runs, ${end.StdoutSize} bytes`);
    }
    if (end.StateName === "Failed" && runs > 0 && job.ttl === "") {
      this.#faults.push(`${job.id} failed, and its job ran: ${end.Detail}`);
    }
    job.releaseAsked = true;
    await work.release(job.id, { ...auth, force: false });
    await eventually(async () => await status() === undefined, { what: `release of ${job.id}` });
  }

  #track(task: Promise<void>): void {
    const running = task.catch((error) => {
      this.#faults.push(String(error?.stack ?? error));
    }).finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  #note(what: string): void {
    this.#story.push(`${Math.round(this.#mesh.clock.now())} ms: ${what}`);
  }

  /** A whole number from 0 to less than `bound`. */
  #below(bound: number): number {
    const [low, high] = this.#random.fill(new Uint8Array(2));
    return bound === 0 ? 0 : (low! + 256 * high!) % bound;
  }
}
