/** From spawn to a greeting on the control socket, and the memory of a node that has settled. */
import { Program } from "../tests/support/program.ts";
import { TestNode } from "../tests/support/test_node.ts";
import type { Bench, Subject } from "./_measure.ts";

/** How long a node may settle before its memory is read, in milliseconds. */
const SETTLE_MS = 2000;
const EMPTY_PROGRAM = `console.log("ready"); setInterval(() => {}, 1 << 30);`;

export const startToReady: Bench = {
  name: "start to ready",
  unit: "ms",
  better: "lower",
  async measure(subject, { rounds }) {
    const values: number[] = [];
    for (let round = -1; round < rounds; round++) {
      const { tookMs, stop } = await start(subject);
      await stop();
      // The first round warms up the caches of disk and compiler.
      if (round >= 0) values.push(tookMs);
    }
    return values;
  },
};

export const idleMemory: Bench = {
  name: "idle memory (RSS)",
  unit: "MB",
  better: "lower",
  async measure(subject) {
    const { pid, stop } = await start(subject);
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const status = await Deno.readTextFile(`/proc/${pid}/status`);
    await stop();
    return [Number(status.match(/VmRSS:\s+(\d+) kB/)![1]) / 1000];
  },
};

interface Started {
  pid: number;
  tookMs: number;
  stop(): Promise<void>;
}

async function start(subject: Subject): Promise<Started> {
  const begin = performance.now();
  if (subject === "empty") {
    const program = Program.start([Deno.execPath(), "eval", "--no-config", EMPTY_PROGRAM]);
    await program.waitForOutput(/ready/);
    const tookMs = performance.now() - begin;
    return { pid: program.pid, tookMs, stop: () => program.kill() };
  }
  const node = await TestNode.start({ kind: subject, id: "solo", logLevel: "warning" });
  const tookMs = node.readyMs;
  return { pid: node.pid, tookMs, stop: () => node[Symbol.asyncDispose]() };
}
