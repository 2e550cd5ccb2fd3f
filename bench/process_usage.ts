/** What processes used, from /proc. */
import type { TestNode } from "../tests/support/test_node.ts";

/** Of the times in `/proc/PID/stat`, which Linux gives in hundredths of a second everywhere. */
const TICKS_A_SECOND = 100;

/** CPU seconds, user and system together. */
export interface CpuTimes {
  readonly own: number;
  /** With what its children used that have ended and were waited for, and theirs. */
  readonly withChildren: number;
}

/** Throws `Deno.errors.NotFound` when there is no such process. */
export function cpuTimes(pid: number): CpuTimes {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  // The name, in parentheses, may hold anything; the state behind it is the third field.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [user, system, childrenUser, childrenSystem] = fields.slice(11, 15).map(Number);
  const own = (user! + system!) / TICKS_A_SECOND;
  return { own, withChildren: own + (childrenUser! + childrenSystem!) / TICKS_A_SECOND };
}

/** CPU that nodes use from now on. */
export class CpuMeter {
  readonly #pids: readonly number[];
  readonly #start: CpuTimes;

  constructor(...nodes: readonly Pick<TestNode, "pid">[]) {
    this.#pids = nodes.map(({ pid }) => pid);
    this.#start = this.#total();
  }

  /** Seconds of all nodes together since the start. */
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

/** Resident memory of a process in MB, its share alone of what it has in common with others. */
export function proportionalMegabytes(pid: number): number {
  return kilobytes(`/proc/${pid}/smaps_rollup`, "Pss");
}

/** Resident memory of a process in MB, shared pages counted whole. */
export function residentMegabytes(pid: number): number {
  return kilobytes(`/proc/${pid}/status`, "VmRSS");
}

function kilobytes(path: string, field: string): number {
  const match = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(Deno.readTextFileSync(path));
  if (match === null) throw new Error(`${path} has no ${field}`);
  return Number(match[1]) * 1024 / 1e6;
}
