/**
 * Runs a command apart from the daemon: a tiny shell script in a session of its own holds the
 * command's stdin and stdout on files and leaves its exit status in a file, whether or not the
 * daemon is still there. Files in the unit's folder:
 *
 *     supervisor       who runs it: machine run, supervisor, command (3 lines)
 *     exit             the command's exit status, one line
 *     supervisor.log   what the shell itself has to say, such as "Killed"
 */
import { parseStatLine, type ProcessIdentity, readBootId } from "./process_identity.ts";

/** The supervisor's own exit status when the unit was taken before; a command may have it too. */
const EXIT_TAKEN = 125;

/**
 * - `supervisor` is made exclusively (`set -C`): of two that try, one runs the command. A daemon
 *   that must give a unit up makes the same file, so a late supervisor runs nothing.
 * - The command is in the foreground, where a shell leaves SIGINT as it is (behind `&` it would be
 *   ignored for good) and reports a death by signal on its stderr. The trap keeps the shell itself
 *   alive to write the status down; a trapped signal is at its default again in the subshell.
 *   Where `sh` is bash, it has to leave its POSIX mode for that, in which it reports nothing.
 * - Stdout is the daemon's pipe and gets the command's identity; it may be gone by then.
 * - `exit` is there from the start, so that it can be watched. A status without its newline is one
 *   that was cut off. The daemon syncs its own record of the end; only without a daemon the file
 *   has to be synced here.
 */
const SCRIPT = `
[ -n "$BASH_VERSION" ] && set +o posix
folder=$1
shift
trap : HUP INT QUIT TERM
read -r boot </proc/sys/kernel/random/boot_id
read -r self </proc/self/stat
set -C
printf '%s\\n%s\\n' "$boot" "$self" >"$folder/supervisor" || exit ${EXIT_TAKEN}
set +C
: >"$folder/exit"
exec 2>>"$folder/supervisor.log"
(
  {
    trap : PIPE
    read -r self </proc/self/stat
    printf '%s\\n' "$self" >>"$folder/supervisor"
    printf '%s\\n' "$self"
  } 2>/dev/null
  exec "$@" <"$folder/stdin" >>"$folder/stdout" 2>&1
)
status=$?
exec 2>/dev/null
printf '%s\\n' "$status" >"$folder/exit"
kill -0 "$PPID" || sync "$folder/exit" || sync
exit "$status"
`;

/** How a command came to its end, as far as that is known. */
export type JobEnd =
  | { readonly kind: "exited"; readonly status: number }
  | { readonly kind: "signaled"; readonly signal: number; readonly coreDumped: boolean }
  /** The shell could not run it; `problem` is what it said. */
  | { readonly kind: "not run"; readonly problem: string }
  /** The supervisor died before it could write the status. */
  | { readonly kind: "lost" }
  /** The unit's command was run, or given up, by somebody else. */
  | { readonly kind: "taken" };

/** A supervisor that this process started. */
export interface Supervisor {
  readonly pid: number;
  /** The command's process once it runs; `undefined` when it never did. */
  readonly command: Promise<ProcessIdentity | undefined>;
  /** Never rejects. */
  readonly ended: Promise<JobEnd>;
  /** Lets this program end before the job does. */
  detach(): void;
}

/** What an earlier daemon's supervisor left in the folder. */
export interface SupervisorRecord {
  readonly bootId: string;
  readonly supervisor: ProcessIdentity | undefined;
  readonly command: ProcessIdentity | undefined;
}

/**
 * Starts `words` as a job in `folder`, which has `stdin` and `stdout`. Throws what the spawn
 * throws.
 */
export function startSupervisor(folder: string, words: readonly string[]): Supervisor {
  const child = new Deno.Command("/bin/sh", {
    args: ["-c", SCRIPT, "receptor-job", folder, ...words],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
    detached: true,
  }).spawn();
  return {
    pid: child.pid,
    command: firstLine(child.stdout).then(parseStatLine).catch(() => undefined),
    ended: child.status.then((status) => endOf(folder, child.pid, status)).catch(() => ({
      kind: "lost",
    })),
    detach: () => child.unref(),
  };
}

async function endOf(
  folder: string,
  pid: number,
  status: Deno.CommandStatus,
): Promise<JobEnd> {
  if (status.code === EXIT_TAKEN) {
    const holder = (await readSupervisorRecord(folder))?.supervisor?.pid;
    if (holder !== pid) return { kind: "taken" };
  }
  const written = await readJobEnd(folder);
  if (written !== undefined) return written;
  if (status.signal !== null) return { kind: "lost" };
  // The disk was full, perhaps: the shell has passed the status on.
  return { kind: "exited", status: status.code };
}

/** What the `exit` file says; `undefined` while the job has not come to its end. */
export async function readJobEnd(folder: string): Promise<JobEnd | undefined> {
  const text = await readTextOrEmpty(`${folder}/exit`);
  if (!/^\d+\n/.test(text)) return undefined;
  const status = Number.parseInt(text, 10);
  const said = (await readTextOrEmpty(`${folder}/supervisor.log`)).trim();
  if (said === "") return { kind: "exited", status };
  // A shell adds 128 to the signal's number, which the command's own exit may do as well: only
  // for a signal the shell has something to say.
  if (status > 128) {
    return { kind: "signaled", signal: status - 128, coreDumped: said.includes("core dumped") };
  }
  return { kind: "not run", problem: said.split("\n")[0]! };
}

/** Reads the `supervisor` file; `undefined` when no supervisor ever took the unit. */
export async function readSupervisorRecord(
  folder: string,
): Promise<SupervisorRecord | undefined> {
  let text: string;
  try {
    text = await Deno.readTextFile(`${folder}/supervisor`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  const [bootId = "", supervisor = "", command = ""] = text.split("\n");
  return { bootId, supervisor: parseStatLine(supervisor), command: parseStatLine(command) };
}

/**
 * Takes the unit away from a supervisor that may have been spawned and not run yet. Resolves to
 * whether that worked; if not, a supervisor has the unit.
 */
export async function takeFromSupervisor(folder: string): Promise<boolean> {
  try {
    await Deno.writeTextFile(`${folder}/supervisor`, `${await readBootId()}\n`, {
      createNew: true,
      mode: 0o600,
    });
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return false;
    throw error;
  }
}

const LONGEST_STAT_LINE = 4096;

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  // Leaving the loop cancels the stream, which closes our end of the pipe.
  for await (const bytes of stream) {
    text += decoder.decode(bytes, { stream: true });
    if (text.includes("\n") || text.length > LONGEST_STAT_LINE) break;
  }
  return text.split("\n")[0]!;
}

async function readTextOrEmpty(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}
