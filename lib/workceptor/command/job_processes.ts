/** Tells which of the machine's processes belong to a job. */
import { markOf, readMark } from "./job_mark.ts";
import {
  isSameProcess,
  type ProcessEntry,
  type ProcessIdentity,
  readProcess,
} from "./process_identity.ts";
import { readProcesses } from "./process_table.ts";

/** What is known of a job's processes from its start. */
export interface JobTrace {
  /** The supervisor, whose group and session the job was started in. */
  readonly leader: ProcessIdentity;
  /** The command itself, once it runs. */
  readonly command?: ProcessIdentity | undefined;
}

/** A process and its mark, which is read only if the process may belong to the job. */
export interface Candidate extends ProcessEntry {
  readonly mark?: string | undefined;
}

/**
 * The processes in `table` that are the job's: those that carry its mark, those we recognize (the
 * supervisor, the command, and `known` from an earlier look), the others in its group or session,
 * and all descendants of these. `self` is this process, which does not belong to the job even if
 * the job started it (in an upgrade, say).
 */
export function jobProcesses(
  table: readonly Candidate[],
  { leader, command }: JobTrace,
  { self, known = [] }: { self: number; known?: readonly ProcessIdentity[] },
): ProcessEntry[] {
  const candidates = table.filter((entry) => entry.pid !== self && !isOlder(entry, leader));
  const mark = markOf(leader);
  const recognized = [leader, ...(command ? [command] : []), ...known];
  const members = new Set(
    candidates.filter((entry) =>
      entry.mark === mark || recognized.some((identity) => isSameProcess(identity, entry))
    ),
  );
  const pids = new Set([...members].map(({ pid }) => pid));
  // A number is not reused for another group or session while a process is in it: one member
  // vouches for the rest. Without one it may be somebody else's by now.
  const inGroup = ({ group, session }: ProcessEntry) =>
    group === leader.pid || session === leader.pid;
  const vouched = [...members].some(inGroup);
  for (let before = -1; before < members.size;) {
    before = members.size;
    for (const entry of candidates) {
      if (!pids.has(entry.parent) && !(vouched && inGroup(entry))) continue;
      members.add(entry);
      pids.add(entry.pid);
    }
  }
  return [...members];
}

/**
 * Looks for a job's processes on this machine. Passes those that carry its mark to `onMarked` as
 * soon as they are met.
 */
export async function findJobProcesses(
  trace: JobTrace,
  { known = [], onMarked }: {
    known?: readonly ProcessIdentity[];
    onMarked?: (entry: ProcessEntry) => void;
  } = {},
): Promise<ProcessEntry[]> {
  const own = markOf(trace.leader);
  const table = await readProcesses((pid): Candidate | undefined => {
    const entry = readProcess(pid);
    if (entry === undefined || isOlder(entry, trace.leader)) return undefined;
    const mark = readMark(pid);
    if (mark === own && pid !== Deno.pid) onMarked?.(entry);
    return { ...entry, mark };
  });
  return jobProcesses(table, trace, { self: Deno.pid, known });
}

/** All of a job's processes start after its supervisor. */
function isOlder(entry: ProcessIdentity, leader: ProcessIdentity): boolean {
  return Number(entry.startTime) < Number(leader.startTime);
}
