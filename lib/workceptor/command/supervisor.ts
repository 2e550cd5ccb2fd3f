/**
 * Runs a command apart from the daemon: a tiny shell script in a session of its own holds the
 * command's stdin and stdout on files and leaves its exit status in a file, whether or not the
 * daemon is still there.
 */
import { READ_START_SCRIPT, SET_MARK_SCRIPT } from "./job_mark.ts";
import type { ProcessIdentity } from "./process_identity.ts";
import { ENV_PROGRAM, pastShell } from "./shell_environment.ts";
import type { Spawner } from "./spawner.ts";
import { type JobEnd, readJobEnd, readSupervisorRecord } from "./supervisor_files.ts";

/**
 * The supervisor's own exit status if the unit was already taken; a command may exit with it too.
 */
const EXIT_TAKEN = 125;
/** Likewise if the disk had no room for what the supervisor has to write. */
const EXIT_NO_ROOM = 124;

/** The name that the shell uses in its messages, and that `ps` shows. */
const SHELL_NAME = "receptor-job";

/** More blanks than an exit status needs; any number of them takes one disk block. */
const RESERVED_BYTES = 64;

/**
 * - The environment is the job's. A shell exports a variable it assigns if that was in the
 *   environment, so the script's own variables have names that nobody else uses.
 * - `supervisor` is created exclusively (`set -C`): if two try, one runs the command. A daemon that
 *   must give up a unit creates the same file, so a late supervisor runs nothing.
 * - `exit` and `supervisor.log` exist from the start, so that they can be watched, and are not
 *   empty, so that there is room for what will be written even if the disk is full by then.
 * - The command runs in the foreground, where a shell leaves SIGINT as it is (with `&` it would be
 *   ignored for good) and reports a death by signal on its stderr. The trap keeps the shell itself
 *   alive to record the status; in the subshell a trapped signal has its default action again. If
 *   `sh` is bash, it has to leave its POSIX mode, in which it does not report this.
 * - Stdout is the daemon's pipe and gets the command's identity, in one write, since other shells
 *   may use the pipe as well; it may be gone by then.
 * - If the exec fails, what the shell says about it, under the name it was given, is all there is
 *   where the command's output belongs, and is moved away from there. So is what `env` says of the
 *   command, if that runs it; of a missing interpreter it says the same, but names that.
 * - The daemon syncs its own record of the end; only without a daemon must the file be synced here.
 */
const scriptFor = (execCommand: string) => `
[ -n "$BASH_VERSION" ] && set +o posix
receptor_folder=$1
shift
trap : HUP INT QUIT TERM
read -r receptor_boot </proc/sys/kernel/random/boot_id
read -r receptor_self </proc/self/stat
${READ_START_SCRIPT}
${SET_MARK_SCRIPT}
set -C
{
  printf '%s\\n%s\\n' "$receptor_boot" "$receptor_self" || exit ${EXIT_NO_ROOM}
} >"$receptor_folder/supervisor" || exit ${EXIT_TAKEN}
set +C
for receptor_name in exit supervisor.log; do
  printf '%${RESERVED_BYTES}s\\n' '' >"$receptor_folder/$receptor_name" || exit ${EXIT_NO_ROOM}
done
exec 2>>"$receptor_folder/supervisor.log"
(
  {
    trap : PIPE
    read -r receptor_self </proc/self/stat
    printf '%s\\n' "$receptor_self" >>"$receptor_folder/supervisor"
    printf '%s\\n' "$receptor_self"
  } 2>/dev/null
  exec <"$receptor_folder/stdin" >>"$receptor_folder/stdout"
  exec 2>&1
  ${execCommand}
)
receptor_status=$?
exec 2>/dev/null
case $receptor_status in
  126 | 127)
    read -r receptor_line <"$receptor_folder/stdout"
    case $receptor_line in
      "$0: "* | "${ENV_PROGRAM}: "*"$1"*)
        : >"$receptor_folder/stdout"
        printf 'fork/exec %s: %s\\n' "$1" "\${receptor_line##*: }" \\
          >>"$receptor_folder/supervisor.log"
        ;;
    esac
    ;;
esac
printf '%s\\n' "$receptor_status" 1<>"$receptor_folder/exit"
kill -0 "$PPID" || sync "$receptor_folder/exit" || sync
exit "$receptor_status"
`;

/** A supervisor that this process started. */
export interface Supervisor {
  readonly pid: number;
  /** `undefined` if it could not be read. */
  readonly identity: ProcessIdentity | undefined;
  /** The command's process once it runs; `undefined` if it never does. */
  readonly command: Promise<ProcessIdentity | undefined>;
  /** Never rejects. */
  readonly ended: Promise<JobEnd>;
  /** Lets this program exit before the job ends. */
  detach(): void;
}

/**
 * Starts `words` as a job in `folder`, which has `stdin` and `stdout`, with this process'
 * environment. Rejects with what the spawn rejects with.
 */
export async function startSupervisor(
  spawner: Spawner,
  folder: string,
  words: readonly string[],
): Promise<Supervisor> {
  const own = Deno.env.toObject();
  const { env, execCommand } = pastShell(own);
  const args = ["-c", scriptFor(execCommand), SHELL_NAME, folder, ...words];
  const shell = await spawner.spawn(args, { ...own, ...env });
  const { pid, identity, announced } = shell;
  const lost = { kind: "lost" } as const;
  return {
    pid,
    identity,
    command: announced,
    ended: Promise.all([shell.ended, announced]).then(([status, command]) =>
      endOf(folder, { pid, status, ran: command !== undefined })
    ).catch(() => lost),
    detach: () => shell.detach(),
  };
}

async function endOf(
  folder: string,
  { pid, status, ran }: { pid: number; status: number | undefined; ran: boolean },
): Promise<JobEnd> {
  if (status === EXIT_TAKEN) {
    const holder = (await readSupervisorRecord(folder))?.supervisor?.pid;
    if (holder !== pid) return { kind: "taken" };
  }
  if (status === EXIT_NO_ROOM && !ran) {
    return { kind: "not run", problem: "no space left on device" };
  }
  const written = await readJobEnd(folder);
  if (written !== undefined) return written;
  if (status === undefined) return { kind: "lost" };
  // The folder may have been removed, but the shell passed the status on.
  return { kind: "exited", status };
}
