/**
 * Where a node's control socket is when nobody says: the node opens the first of these, and
 * receptorctl looks for a socket in the same order.
 */

/** Reads one environment variable. */
export type Environment = (name: string) => string | undefined;

/**
 * The candidates, best first: `$RUNTIME_DIRECTORY` (systemd's for a service), `$XDG_RUNTIME_DIR`
 * (the user's own), and `/tmp`, which is always there. A node takes the first.
 */
export function defaultSocketPaths(environment: Environment): [string, ...string[]] {
  const folders = [
    // systemd separates several by colons.
    environment("RUNTIME_DIRECTORY")?.split(":")[0],
    environment("XDG_RUNTIME_DIR"),
    "/tmp",
  ];
  return folders
    .filter((folder) => folder !== undefined && folder !== "")
    .map((folder) => `${folder}/receptor.sock`) as [string, ...string[]];
}
