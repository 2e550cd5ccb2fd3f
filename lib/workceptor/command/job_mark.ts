/**
 * A mark that every process of a job carries, so that it can be found wherever it is: a soft limit
 * on resident memory (RLIMIT_RSS), far above what any machine has and different for each job.
 *
 * Linux has not enforced this limit since 2.4.30, but every child inherits it, through each exec,
 * in new sessions and with an emptied environment, and every user can see it. It needs no
 * privileges, no control group and no clean-up.
 */
import { type ProcessIdentity, readProcFile } from "./process_identity.ts";

/** Pids are below 2^22 (`PID_MAX_LIMIT` in the kernel). */
const PID_BITS = 22;
/** As much of the start time as there is room for: 62 days at 100 ticks per second. */
const START_BITS = 29;
const FLOOR_BIT = PID_BITS + START_BITS;

/** Reads the shell's own start time, number 22 of the fields, into `$receptor_start`. */
export const READ_START_SCRIPT = `read -r ${
  "receptor_skipped ".repeat(21)
}receptor_start receptor_skipped </proc/self/stat`;

/**
 * Sets the mark on the shell that runs it and on everything it starts. A shell's `ulimit -m` counts
 * in KiB. Needs the shell's start time in `$receptor_start`; if refused, the job is unmarked.
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

/** The mark in `/proc/<pid>/limits`; `undefined` if it has none. */
export function parseMark(limits: string): string | undefined {
  return /^Max resident set\s+(\d+)\s/m.exec(limits)?.[1];
}

/** The mark of a process, if it has any such limit at all. */
export function readMark(pid: number): string | undefined {
  const limits = readProcFile(pid, "limits");
  return limits === undefined ? undefined : parseMark(limits);
}
