/**
 * Who a process is, beyond its pid: pids are reused, so a daemon that did not start a process
 * must never signal it, or believe it alive, by its pid alone.
 */

export interface ProcessIdentity {
  readonly pid: number;
  /** Process group. */
  readonly group: number;
  /** Start time in clock ticks since the machine started. */
  readonly startTime: string;
}

/** What the kernel says about a process at one moment. */
export interface ProcessEntry extends ProcessIdentity {
  /** The name of its program, cut to 15 bytes by the kernel. */
  readonly name: string;
  /** One letter, such as `R` for running or `Z` for a zombie. */
  readonly state: string;
  readonly parent: number;
  readonly session: number;
}

/** Changes with each boot. */
export const BOOT_ID_FILE = "/proc/sys/kernel/random/boot_id";

/**
 * Reads a line of `/proc/<pid>/stat`. The second field is the command's name in parentheses and may
 * itself hold blanks and parentheses, so fields are counted from the last closing one.
 */
export function parseStatLine(line: string): ProcessEntry | undefined {
  const nameEnd = line.lastIndexOf(")");
  const pid = Number.parseInt(line, 10);
  // The fields after the name are numbers 3 (state), 4 (parent), 5 (group), … 22 (start time).
  const fields = line.slice(nameEnd + 1).trim().split(/\s+/);
  const [state, parent, group, session] = fields;
  const startTime = fields[22 - 3];
  if (nameEnd === -1 || !(pid > 0) || state === undefined || !/^\d+$/.test(startTime ?? "")) {
    return undefined;
  }
  return {
    pid,
    name: line.slice(line.indexOf("(") + 1, nameEnd),
    state,
    parent: Number(parent),
    group: Number(group),
    session: Number(session),
    startTime: startTime!,
  };
}

/** The id of this boot of the machine; "" if the system has none. */
export async function readBootId(): Promise<string> {
  try {
    return (await Deno.readTextFile(BOOT_ID_FILE)).trim();
  } catch {
    return "";
  }
}

/**
 * The process that has this pid now; `undefined` when there is none, or only a zombie: in a
 * container whose first process does not reap, a dead one stays for ever. Throws if that cannot be
 * told, for lack of file descriptors, say: the process must not be taken for gone then.
 */
export function readProcess(pid: number): ProcessEntry | undefined {
  const line = readProcFile(pid, "stat");
  const entry = line === undefined ? undefined : parseStatLine(line);
  return entry === undefined || "ZX".includes(entry.state) ? undefined : entry;
}

/**
 * A file of `/proc/<pid>`; `undefined` if there is no such process, or we may not see it. Throws
 * any other error of the read.
 */
export function readProcFile(pid: number, name: "stat" | "limits"): string | undefined {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/${name}`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) {
      return undefined;
    }
    // It ended between opening and reading the file: ESRCH, for which Deno has no class.
    if (error instanceof Error && error.message.includes("os error 3)")) return undefined;
    throw error;
  }
}

export function isSameProcess(one: ProcessIdentity, other: ProcessIdentity): boolean {
  return one.pid === other.pid && one.startTime === other.startTime;
}

/** Whether the very process that `identity` describes still runs. */
export function isRunning(identity: ProcessIdentity): boolean {
  const now = readProcess(identity.pid);
  return now !== undefined && isSameProcess(now, identity);
}
