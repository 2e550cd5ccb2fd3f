/** Recognises a job that the Go daemon left running, for a node that was upgraded meanwhile. */

/**
 * Whether `pid` is the Go daemon's command runner for the unit in `folder`: its command line says
 * so, which no process that got the pid later does.
 */
export async function isGoRunner(pid: number, folder: string): Promise<boolean> {
  if (pid <= 1) return false;
  try {
    const words = (await Deno.readTextFile(`/proc/${pid}/cmdline`)).split("\0");
    return words.includes("--command-runner") && words.includes(`unitdir=${folder}`);
  } catch {
    return false;
  }
}
