/** What processes use of the machine, from /proc. */
import type { TestNode } from "../tests/support/test_node.ts";

/** Unit of the times in `/proc/PID/stat`: hundredths of a second on every architecture. */
const TICKS_A_SECOND = 100;

/** CPU seconds, user and system together. */
export interface CpuTimes {
  readonly own: number;
  /** Including children that have ended and were waited for, and theirs. */
  readonly withChildren: number;
}

/** Throws `Deno.errors.NotFound` if there is no such process. */
export function cpuTimes(pid: number): CpuTimes {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  // The name, in parentheses, may hold anything; the state after it is the third field.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [user, system, childrenUser, childrenSystem] = fields.slice(11, 15).map(Number);
  const own = (user! + system!) / TICKS_A_SECOND;
  return { own, withChildren: own + (childrenUser! + childrenSystem!) / TICKS_A_SECOND };
}

/** CPU time that nodes use from the making of the meter on. */
export class CpuMeter {
  readonly #pids: readonly number[];
  readonly #start: CpuTimes;

  constructor(...nodes: readonly Pick<TestNode, "pid">[]) {
    this.#pids = nodes.map(({ pid }) => pid);
    this.#start = this.#total();
  }

  /** Seconds, all nodes together. */
  get used(): CpuTimes {
    const now = this.#total();
    return {
      own: now.own - this.#start.own,
      withChildren: now.withChildren - this.#start.withChildren,
    };
  }

  #total(): CpuTimes {
    const times = this.#pids.map(cpuTimes);
    return {
      own: times.reduce((sum, { own }) => sum + own, 0),
      withChildren: times.reduce((sum, { withChildren }) => sum + withChildren, 0),
    };
  }
}

/** Memory of a process in MB, with its share of the pages that others use too (PSS). */
export function proportionalMegabytes(pid: number): number {
  return kilobytes(`/proc/${pid}/smaps_rollup`, "Pss");
}

/** Memory of a process in MB, with all of the pages that others use too (RSS). */
export function residentMegabytes(pid: number): number {
  return kilobytes(`/proc/${pid}/status`, "VmRSS");
}

function kilobytes(path: string, field: string): number {
  const match = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(Deno.readTextFileSync(path));
  if (match === null) throw new Error(`${path} has no ${field}`);
  return Number(match[1]) * 1024 / 1e6;
}
