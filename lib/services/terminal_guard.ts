/**
 * A small shell that outlives this process, if that is killed: it then ends what ran on terminals. The
 * system itself only tells the command in the foreground, which may ignore that.
 */

const SHELL_NAME = "receptor-terminals";
/** From the SIGHUP to the SIGKILL, in seconds. */
const GRACE_SECONDS = 3;
/** Enough, unless something starts processes faster than a shell can kill them. */
const KILL_ROUNDS = 50;

/**
 * Reads the marks (`job_mark.ts`) of commands as they come and go; at the end of its input, which is
 * that of this process, there are those left that nobody has ended.
 */
const SCRIPT = `
trap '' HUP INT QUIT TERM
marks=
while read -r sign mark; do
  others=
  for other in $marks; do
    [ "$other" = "$mark" ] || others="$others $other"
  done
  marks=$others
  [ "$sign" = + ] && marks="$marks $mark"
done
[ -n "$marks" ] || exit 0

# Sends the signals to all that carry one of the marks; fails if there are none.
signal() {
  found=1
  for folder in /proc/[0-9]*; do
    while read -r first second third soft others; do
      [ "$first $second $third" = "Max resident set" ] || continue
      case " $marks " in
        *" $soft "*)
          found=0
          for name in "$@"; do kill -s "$name" "\${folder#/proc/}"; done
          ;;
      esac
      break
    done <"$folder/limits"
  done
  return $found
} 2>/dev/null

signal HUP CONT && sleep ${GRACE_SECONDS}
round=0
while [ $round -lt ${KILL_ROUNDS} ] && signal KILL; do
  round=$((round + 1))
done
`;

export class TerminalGuard implements AsyncDisposable {
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #ended: Promise<unknown>;

  /** Throws if there can be no more processes. */
  constructor() {
    const child = new Deno.Command("/bin/sh", {
      args: ["-c", SCRIPT, SHELL_NAME],
      clearEnv: true,
      env: { PATH: "/usr/bin:/bin" },
      stdin: "piped",
      stdout: "null",
      stderr: "null",
      detached: true,
    }).spawn();
    this.#input = child.stdin.getWriter();
    this.#ended = child.status;
  }

  /** Ends all that carries `mark`, if this process ends before the result is disposed of. */
  watch(mark: string): Disposable {
    this.#tell(`+ ${mark}\n`);
    return { [Symbol.dispose]: () => this.#tell(`- ${mark}\n`) };
  }

  /** Nothing may be watched any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close().catch(() => {});
    await this.#ended;
  }

  #tell(line: string): void {
    // If somebody has killed it, there is no guard.
    this.#input.write(new TextEncoder().encode(line)).catch(() => {});
  }
}
