/** Runs a receptorctl, ours or the Python one, and keeps what it said, byte for byte. */
import { within } from "./eventually.ts";
import { clientCommand, type ClientKind } from "./peers.ts";
import { testEnvironment } from "./program.ts";

/** A client that runs for so long, in milliseconds, hangs: less than a test may take. */
const LONGEST_RUN_MS = 150_000;

export interface ReceptorctlOptions {
  client?: ClientKind;
  /** Given as `--socket`; leave out to test the defaults and the environment. */
  socket?: string;
  stdin?: Uint8Array | string;
  env?: Record<string, string>;
  cwd?: string;
  /** Ends the client, which then counts as killed by a signal. */
  signal?: AbortSignal;
}

export interface ReceptorctlResult {
  /** Exit code; 128 and more for a signal. */
  code: number;
  stdout: string;
  stderr: string;
  stdoutBytes: Uint8Array;
}

export async function receptorctl(
  args: readonly string[],
  options: ReceptorctlOptions = {},
): Promise<ReceptorctlResult> {
  const [file, ...prefix] = clientCommand(options.client ?? "ours");
  const socket = options.socket === undefined ? [] : ["--socket", options.socket];
  const child = new Deno.Command(file!, {
    args: [...prefix, ...socket, ...args],
    stdin: options.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
    clearEnv: true,
    env: testEnvironment(options.env),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  }).spawn();
  const feed = options.stdin === undefined ? undefined : feedStdin(child, options.stdin);
  const output = child.output();
  const what = `the end of receptorctl ${args.join(" ")}`;
  const { code, stdout, stderr } = await within(LONGEST_RUN_MS, what, output).catch(
    async (error) => {
      child.kill("SIGKILL");
      await output;
      throw error;
    },
  );
  await feed;
  const decoder = new TextDecoder();
  return {
    code,
    stdout: decoder.decode(stdout),
    stderr: decoder.decode(stderr),
    stdoutBytes: stdout,
  };
}

async function feedStdin(child: Deno.ChildProcess, stdin: Uint8Array | string): Promise<void> {
  const writer = child.stdin.getWriter();
  try {
    await writer.write(typeof stdin === "string" ? new TextEncoder().encode(stdin) : stdin);
    await writer.close();
  } catch {
    // A client that does not read its stdin may end first; its exit code shows why.
    await writer.abort().catch(() => {});
  }
}
