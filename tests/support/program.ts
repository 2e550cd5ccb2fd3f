/** A child process whose output is kept and can be waited for, and that never outlives its test. */
import { PATIENCE_MS, within } from "./eventually.ts";

/** Characters of output to keep; beyond this, the oldest is forgotten. */
const KEPT_OUTPUT = 4_000_000;
/** How long to wait for more output after the exit, while a grandchild holds the pipe. */
const DRAIN_MS = 1_000;
/** Variables of ours that a program under test may see. Everything else is withheld. */
const PASSED_ON = ["PATH", "HOME", "XDG_CACHE_HOME", "TMPDIR", "DENO_DIR", "RECEPTOR_CACHE"];

export interface ProgramOptions {
  /** In addition to the few variables that are passed on. */
  env?: Record<string, string> | undefined;
  cwd?: string | undefined;
}

/** The environment that programs under test get. */
export function testEnvironment(extra: Record<string, string> = {}): Record<string, string> {
  const env: Record<string, string> = { LANG: "C.UTF-8", NO_COLOR: "1" };
  for (const name of PASSED_ON) {
    const value = Deno.env.get(name);
    if (value !== undefined) env[name] = value;
  }
  return { ...env, ...extra };
}

export class Program implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #drained: Promise<unknown>;
  readonly #stopReading = new AbortController();
  readonly #waiters = new Set<() => void>();
  #output = "";
  #ended = false;
  /** Nothing will be added to the output. */
  #isComplete = false;
  /** Resolves when the process has ended and its output is complete. */
  readonly exited: Promise<Deno.CommandStatus>;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#drained = Promise.all([this.#collect(child.stdout), this.#collect(child.stderr)]);
    this.exited = this.#awaitExit();
  }

  /** Starts `command` with nothing on stdin. */
  static start(command: readonly string[], options: ProgramOptions = {}): Program {
    const [file, ...args] = command;
    const child = new Deno.Command(file!, {
      args,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      clearEnv: true,
      env: testEnvironment(options.env),
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    }).spawn();
    return new Program(child);
  }

  get pid(): number {
    return this.#child.pid;
  }

  get running(): boolean {
    return !this.#ended;
  }

  /** Everything that the program has printed on stdout and stderr, in order of arrival. */
  get output(): string {
    return this.#output;
  }

  /**
   * Resolves to the first match of `pattern` in the output, which may already be there. Rejects if
   * the program ends without it.
   */
  async waitForOutput(pattern: RegExp, timeoutMs = PATIENCE_MS): Promise<RegExpMatchArray> {
    let wake = () => {};
    const found = new Promise<RegExpMatchArray>((resolve, reject) => {
      wake = () => {
        const match = this.#output.match(pattern);
        if (match !== null) resolve(match);
        else if (this.#isComplete) {
          reject(new Error(`The program ended without printing ${pattern}`));
        }
      };
    });
    this.#waiters.add(wake);
    wake();
    try {
      return await within(timeoutMs, `output matching ${pattern}`, found);
    } finally {
      this.#waiters.delete(wake);
    }
  }

  /** Sends a signal if the process still runs. */
  signal(signal: Deno.Signal): void {
    if (!this.#ended) this.#child.kill(signal);
  }

  /** Sends `signal`, waits for the end, and uses SIGKILL if that takes too long. */
  async stop(signal: Deno.Signal = "SIGTERM", timeoutMs = PATIENCE_MS): Promise<void> {
    this.signal(signal);
    try {
      await within(timeoutMs, `the end of process ${this.pid}`, this.exited);
    } catch (error) {
      await this.kill();
      throw error;
    }
  }

  /** The end without any chance to clean up. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  async #awaitExit(): Promise<Deno.CommandStatus> {
    const status = await this.#child.status;
    this.#ended = true;
    await within(DRAIN_MS, "the last output", this.#drained).catch(() => {
      this.#stopReading.abort();
    });
    await this.#drained;
    this.#isComplete = true;
    for (const wake of this.#waiters) wake();
    return status;
  }

  async #collect(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    const reader = stream.getReader();
    const cancel = () => void reader.cancel().catch(() => {});
    this.#stopReading.signal.addEventListener("abort", cancel, { once: true });
    while (true) {
      const { done, value } = await reader.read();
      if (done) break;
      this.#output = (this.#output + decoder.decode(value, { stream: true })).slice(-KEPT_OUTPUT);
      for (const wake of this.#waiters) wake();
    }
    this.#stopReading.signal.removeEventListener("abort", cancel);
  }
}
