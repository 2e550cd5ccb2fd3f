/**
 * Where a node's control socket is by default: the node opens the first of these, and receptorctl
 * looks for a socket in the same order.
 */

/** Reads one environment variable. */
export type Environment = (name: string) => string | undefined;

/**
 * The candidates, best first: `$RUNTIME_DIRECTORY` (systemd's for a service), `$XDG_RUNTIME_DIR`
 * (the user's own), and `/tmp/receptor-<uid>`, which can always be created. In `/tmp` itself
 * anybody could open the socket first and receive what is meant for the node.
 */
export function defaultSocketPaths(
  environment: Environment,
  uid: number = Deno.uid() ?? 0,
): [string, ...string[]] {
  const folders = [
    // systemd separates several with colons.
    environment("RUNTIME_DIRECTORY")?.split(":")[0],
    environment("XDG_RUNTIME_DIR"),
    ownFolder(uid),
  ];
  return folders
    .filter((folder) => folder !== undefined && folder !== "")
    .map((folder) => `${folder}/receptor.sock`) as [string, ...string[]];
}

/** `/tmp/receptor-<uid>`, for that user alone: see `makeOwnFolder`. */
export function ownFolder(uid: number): string {
  return `/tmp/receptor-${uid}`;
}
