/**
 * A mark that every process of a job carries, so that it is found wherever it went: a soft limit
 * on resident memory (RLIMIT_RSS), far above what any machine has and different for each job.
 *
 * Linux has not enforced this limit since 2.4.30, but hands it down to every child, through each
 * exec, into new sessions and past an emptied environment, and shows it to every user. It needs no
 * privilege, no control group and no cleaning up.
 */
import { type ProcessIdentity, readProcFile } from "./process_identity.ts";

/** Pids are below 2^22 (`PID_MAX_LIMIT` in the kernel). */
const PID_BITS = 22;
/** As much of the start time as there is room for: 62 days of 100 ticks a second. */
const START_BITS = 29;
const FLOOR_BIT = PID_BITS + START_BITS;

/**
 * Sets the mark of the shell that runs it and of all that it starts. A shell's `ulimit -m` counts
 * in KiB. Wants the shell's start time in `$receptor_start`; a refusal leaves the job unmarked.
 */
export const SET_MARK_SCRIPT =
  `ulimit -S -m "$((1 << ${FLOOR_BIT} | receptor_start % (1 << ${START_BITS}) << ${PID_BITS} | ` +
  `$$))" 2>/dev/null || :`;

/** The limit, in bytes, of the jobs that this supervisor runs. */
export function markOf(supervisor: ProcessIdentity): string {
  const start = BigInt(supervisor.startTime) % (1n << BigInt(START_BITS));
  const kibibytes = 1n << BigInt(FLOOR_BIT) | start << BigInt(PID_BITS) | BigInt(supervisor.pid);
  return String(kibibytes * 1024n);
}

/** What `/proc/<pid>/limits` has of the mark; `undefined` when it cannot be read. */
export function parseMark(limits: string): string | undefined {
  return /^Max resident set\s+(\d+)\s/m.exec(limits)?.[1];
}

/** The mark of a process, if it has any such limit at all. */
export function readMark(pid: number): string | undefined {
  const limits = readProcFile(pid, "limits");
  return limits === undefined ? undefined : parseMark(limits);
}
