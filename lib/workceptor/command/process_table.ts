/** Reads about all processes of this machine that we may see. */

/**
 * Processes read in one turn of the event loop, a few hundredths of a millisecond each: reading
 * each file asynchronously takes far longer, and none of them is on a disk.
 */
const BATCH = 64;

/** Enough lists, on a machine that keeps starting processes. */
const MAX_LISTS = 50;

/**
 * Calls `read` for every process; those for which it returns `undefined` (ended, say) are left out.
 *
 * A process that forks and ends between two steps of a look would never be seen, nor would its
 * child if that did the same. So the processes are listed again, and the new ones read at once,
 * until there are no new ones: then each process was either met alive or ended without offspring.
 */
export async function readProcesses<T>(read: (pid: number) => T | undefined): Promise<T[]> {
  const seen = new Set<number>();
  const all: T[] = [];
  for (let list = 0; list < MAX_LISTS; list++) {
    const fresh = [...listPids()].filter((pid) => !seen.has(pid));
    if (fresh.length === 0) break;
    for (const [i, pid] of fresh.entries()) {
      if (i % BATCH === BATCH - 1) await new Promise((resolve) => setTimeout(resolve));
      seen.add(pid);
      const one = read(pid);
      if (one !== undefined) all.push(one);
    }
  }
  return all;
}

function* listPids(): Generator<number> {
  for (const { name } of Deno.readDirSync("/proc")) if (/^\d+$/.test(name)) yield Number(name);
}
