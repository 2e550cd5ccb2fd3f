/** Two linked mesh nodes in this process, with services that run until the test ends. */
import { MemoryBackend, memorySessionPair } from "../../lib/backends/memory.ts";
import { systemClock } from "../../lib/base/clock.ts";
import { systemRandom } from "../../lib/base/random.ts";
import { Netceptor } from "../../lib/netceptor/netceptor.ts";
import type { Entrance, Exit, Service } from "../../lib/services/service.ts";
import { StreamService } from "../../lib/services/stream_service.ts";
import { RecordingLog } from "../sim/recording_log.ts";
import { eventually } from "../support/eventually.ts";

export class TwoNodes implements AsyncDisposable {
  readonly log = new RecordingLog();
  readonly deps = { log: this.log, clock: systemClock, random: systemRandom };
  readonly near = new Netceptor(this.deps, { nodeId: "near" });
  readonly far = new Netceptor(this.deps, { nodeId: "far" });
  readonly #running: { stop: AbortController; over: Promise<void> }[] = [];

  static async create(): Promise<TwoNodes> {
    const nodes = new TwoNodes();
    const sessions = memorySessionPair(["near", "far"]);
    for (const [index, node] of [nodes.near, nodes.far].entries()) {
      const backend = new MemoryBackend();
      backend.offer(sessions[index]!);
      node.addBackend(backend, { cost: 1, nodeCost: {} });
    }
    await eventually(() => nodes.near.hasRoute("far") && nodes.far.hasRoute("near"), {
      what: "routes between the two nodes",
    });
    return nodes;
  }

  /** Runs a service until the test ends or the result is called, which resolves when it is over. */
  run(service: Service): () => Promise<void> {
    const stop = new AbortController();
    const over = service.run(stop.signal);
    this.#running.push({ stop, over });
    return async () => {
      stop.abort();
      await over;
    };
  }

  /** Runs a stream service. */
  join(entrance: Entrance, exit: Exit, maxConnections?: number): () => Promise<void> {
    return this.run(new StreamService({ ...this.deps, entrance, exit }, "joined", maxConnections));
  }

  /** Resolves to the first line of the log that matches. */
  async waitForLog(pattern: RegExp): Promise<string> {
    return await eventually(() => this.log.lines.find((line) => pattern.test(line)), {
      what: () => `a line like ${pattern} among:\n${this.log.lines.join("\n")}`,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { stop } of this.#running) stop.abort();
    await Promise.all(this.#running.map(({ over }) => over));
    await Promise.all([this.near, this.far].map((node) => node[Symbol.asyncDispose]()));
  }
}
