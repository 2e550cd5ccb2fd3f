/** Where, when and with what the figures were measured. */
import { cpus, release, totalmem } from "node:os";
import { runDaemonCommand } from "../tests/support/certificates.ts";
import { runsFromSource } from "../tests/support/peers.ts";
import type { Kind } from "./row.ts";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGB: number;
  readonly kernel: string;
  readonly deno: string;
  /** Versions of the measured daemons, as they report them. */
  readonly daemons: Readonly<Partial<Record<Kind, string>>>;
  /** What "ours" is: the built file, or the sources. */
  readonly ours: "dist/receptor" | "source";
  readonly date: string;
}

export async function describeMachine(kinds: readonly Kind[]): Promise<Machine> {
  const daemons: Partial<Record<Kind, string>> = {};
  for (const kind of kinds) daemons[kind] = (await runDaemonCommand(kind, ["--version"])).trim();
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memoryGB: Math.round(totalmem() / 1e9),
    kernel: release().split("-")[0]!,
    deno: Deno.version.deno,
    daemons,
    ours: runsFromSource() ? "source" : "dist/receptor",
    date: new Date().toISOString().slice(0, 10),
  };
}

/** One line for a reader. */
export function machineLine(machine: Machine): string {
  const { cpu, cores, memoryGB, kernel, deno, daemons, ours, date } = machine;
  return `${date}, ${cpu}, ${cores} cores, ${memoryGB} GB, Linux ${kernel}, Deno ${deno}; ` +
    `Go daemon ${daemons.go ?? "not there"}, ours ${daemons.ours} (${ours})`;
}

/** Processes that ran or were ready to, averaged over the last minute. */
export function loadNow(): number {
  return Deno.loadavg()[0]!;
}
