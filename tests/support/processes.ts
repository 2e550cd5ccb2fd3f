/**
 * Jobs are detached from their daemon on purpose, so a test that ends finds them by a mark in
 * their environment, which every descendant of a test node inherits.
 */
import { eventually } from "./eventually.ts";

/** Environment variable that carries the mark. */
export const MARK = "RECEPTOR_TEST_MARK";

/** Process ids whose environment carries `mark`. Empty where there is no /proc. */
export function markedProcesses(mark: string): number[] {
  const wanted = `${MARK}=${mark}\0`;
  const found: number[] = [];
  let entries: Deno.DirEntry[];
  try {
    entries = [...Deno.readDirSync("/proc")];
  } catch {
    return found;
  }
  for (const { name } of entries) {
    if (!/^\d+$/.test(name)) continue;
    try {
      if (Deno.readTextFileSync(`/proc/${name}/environ`).includes(wanted)) found.push(Number(name));
    } catch {
      // It has ended, or we may not look at it.
    }
  }
  return found;
}

/** Kills every process that carries `mark`, and those that they start meanwhile, until none is left. */
export async function killMarked(mark: string): Promise<void> {
  await eventually(() => {
    const found = markedProcesses(mark);
    for (const pid of found) {
      try {
        Deno.kill(pid, "SIGKILL");
      } catch {
        // It ended meanwhile.
      }
    }
    return found.length === 0;
  }, { what: () => `the end of processes ${markedProcesses(mark)}`, intervalMs: 5 });
}

/** Whether a process exists and is not just a zombie. */
export function isRunning(pid: number): boolean {
  try {
    // The state follows the name, which is in parentheses and may hold anything.
    return !/^\d+ \(.*\) [ZX]/s.test(Deno.readTextFileSync(`/proc/${pid}/stat`));
  } catch {
    return false;
  }
}

/** Resident memory of a process, in bytes. */
export function residentBytes(pid: number): number {
  return statusBytes(pid, "VmRSS");
}

/** The most resident memory that a process ever had, in bytes. */
export function peakResidentBytes(pid: number): number {
  return statusBytes(pid, "VmHWM");
}

function statusBytes(pid: number, field: string): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  const [, kibibytes] = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)!;
  return Number(kibibytes) * 1024;
}

/** How many descriptors a process has open. */
export function openDescriptors(pid: number): number {
  return [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
}

/** Processor time that a process has used so far, in hundredths of a second. */
export function usedTicks(pid: number): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  // The name, in parentheses, may hold anything; utime and stime are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}
