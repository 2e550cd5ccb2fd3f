/** The least that a daemon on Deno can take: a program that says it is ready and does nothing. */
import { setTimeout as delay } from "node:timers/promises";
import { Program } from "../../tests/support/program.ts";
import { residentMegabytes } from "../process_usage.ts";
import { afresh, type Limit } from "../row.ts";

const PROGRAM = `console.log("ready"); setInterval(() => {}, 1 << 30);`;

/** `settleMs` is how long it may settle before its memory is read. */
export function emptyDeno(settleMs: number): Limit {
  return {
    name: "empty Deno program",
    setUp: () =>
      afresh(async () => {
        const start = performance.now();
        await using program = Program.start([Deno.execPath(), "eval", "--no-config", PROGRAM]);
        await program.waitForOutput(/ready/);
        const socket = performance.now() - start;
        await delay(settleMs);
        return { socket, idle: residentMegabytes(program.pid) };
      }),
  };
}
