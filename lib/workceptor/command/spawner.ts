/** Starts the shells that supervise jobs. */
import { parseStatLine, type ProcessIdentity, readProcess } from "./process_identity.ts";

/** A shell that this process started. Whoever waits for its promises never gets a rejection. */
export interface SpawnedShell {
  readonly pid: number;
  /** `undefined` if it could not be read. */
  readonly identity: ProcessIdentity | undefined;
  /**
   * The child of the shell whose line of `/proc/<pid>/stat` the shell prints first; `undefined` if
   * it ends without that.
   */
  readonly announced: Promise<ProcessIdentity | undefined>;
  /** Its exit status; `undefined` if it was killed, or if that is not known. */
  readonly ended: Promise<number | undefined>;
  /** Lets this program exit before the shell ends. */
  detach(): void;
}

export interface Spawner {
  /**
   * Starts `/bin/sh` with `args` and `environment`, in a session of its own, with stdin and stderr
   * on `/dev/null`. Rejects with what `Deno.Command` throws.
   */
  spawn(
    args: readonly string[],
    environment: Readonly<Record<string, string>>,
  ): Promise<SpawnedShell>;
}

export const SHELL = "/bin/sh";

/**
 * Starts shells as Deno does: with a fork of this whole process, during which its event loop stands
 * still.
 */
export const denoSpawner: Spawner = {
  // deno-lint-ignore require-await -- what it throws must be a rejection
  async spawn(args, environment) {
    const child = new Deno.Command(SHELL, {
      args: [...args],
      env: { ...environment },
      stdin: "null",
      stdout: "piped",
      stderr: "null",
      detached: true,
    }).spawn();
    const { pid, stdout, status } = child;
    return {
      pid,
      // Before the first await: until then, even a child that has ended keeps its pid.
      identity: identityOf(pid),
      announced: firstLine(stdout).then(parseStatLine).catch(() => undefined),
      ended: status.then(({ code, signal }) => signal === null ? code : undefined)
        .catch(() => undefined),
      detach: () => child.unref(),
    };
  },
};

/** Who a child is that nobody has waited for; `undefined` if it has ended or cannot be read. */
export function identityOf(pid: number): ProcessIdentity | undefined {
  try {
    return readProcess(pid);
  } catch {
    return undefined;
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
