/**
 * Who a process is, beyond its pid: pids are used again, so a pid alone must never be signalled
 * or taken for alive by a daemon that did not start it.
 */

export interface ProcessIdentity {
  readonly pid: number;
  /** Process group. */
  readonly group: number;
  /** Start time in clock ticks since the machine started. */
  readonly startTime: string;
}

/** Changes with each start of the machine. */
export const BOOT_ID_FILE = "/proc/sys/kernel/random/boot_id";

/**
 * Reads a line of `/proc/<pid>/stat`. The second field is the command's name in parentheses and
 * may hold blanks and parentheses itself, so fields are counted from the last one on.
 */
export function parseStatLine(line: string): ProcessIdentity & { state: string } | undefined {
  const nameEnd = line.lastIndexOf(")");
  const pid = Number.parseInt(line, 10);
  // The fields after the name are numbers 3 (state), 4 (parent), 5 (group), … 22 (start time).
  const fields = line.slice(nameEnd + 1).trim().split(/\s+/);
  const [state, , group] = fields;
  const startTime = fields[22 - 3];
  if (nameEnd === -1 || !(pid > 0) || state === undefined || !/^\d+$/.test(startTime ?? "")) {
    return undefined;
  }
  return { pid, group: Number(group), startTime: startTime!, state };
}

/** The id of this run of the machine; "" where the system has none. */
export async function readBootId(): Promise<string> {
  try {
    return (await Deno.readTextFile(BOOT_ID_FILE)).trim();
  } catch {
    return "";
  }
}

/**
 * Whether the very process that `identity` describes still runs. A zombie does not: in a container
 * whose first process does not reap, a dead one stays for ever.
 */
export async function isRunning(identity: ProcessIdentity): Promise<boolean> {
  try {
    const now = parseStatLine(await Deno.readTextFile(`/proc/${identity.pid}/stat`));
    return now?.startTime === identity.startTime && !"ZX".includes(now.state);
  } catch {
    return false;
  }
}

/** Signals a whole process group; resolves to whether there was one. Throws if not permitted. */
export function signalGroup(group: number, signal: Deno.Signal): boolean {
  // 0 and 1 mean "everything of mine" and "everything" to kill(2).
  if (!Number.isInteger(group) || group <= 1) throw new RangeError(`bad process group ${group}`);
  try {
    Deno.kill(-group, signal);
    return true;
  } catch (error) {
    // ESRCH surfaces as NotFound (and as a plain TypeError on older runtimes).
    if (error instanceof Deno.errors.PermissionDenied) throw error;
    return false;
  }
}
