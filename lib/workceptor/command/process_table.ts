/** Reads about all processes of this machine, as far as it shows them to us. */

/**
 * Processes read in one turn of the event loop, a few hundredths of a millisecond each: reading
 * each file asynchronously takes far longer, and none of them is on a disk.
 */
const BATCH = 64;

/** On a machine that starts processes all the time, this many lists are enough. */
const MAX_LISTS = 50;

/**
 * Calls `read` for every process; what it has nothing for (it ended, say) is left out.
 *
 * A process that forks and ends between two steps of a look would never be seen, nor would the
 * next one. So the processes are listed again, and the new ones read at once, until there is no new
 * one: then whatever was there has been met alive, or has ended without an offspring.
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
