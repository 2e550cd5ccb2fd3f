/**
 * Starts shells off the event loop, by the system's C library. They share one pipe for what they
 * announce, and are waited for when a signal tells that a child has ended.
 */
import { CLibrary, type SpawnRecipe } from "./c_library.ts";
import { parseStatLine, type ProcessIdentity } from "./process_identity.ts";
import { denoSpawner, identityOf, SHELL, type SpawnedShell, type Spawner } from "./spawner.ts";

/** As much as a pipe holds. */
const BUFFER_BYTES = 64 * 1024;

/** Begins a line that we write ourselves, when a shell has ended without an announcement. */
const ENDED = "ended ";

interface Child {
  readonly announced: PromiseWithResolvers<ProcessIdentity | undefined>;
  readonly ended: PromiseWithResolvers<number | undefined>;
  isAnnounced: boolean;
}

/** What spawns take, once there has been one. */
interface Means {
  readonly library: CLibrary;
  /** Of the pipe. */
  readonly writeEnd: number;
  readonly recipe: SpawnRecipe;
  /** Resolves when nothing is read from it any more. */
  readonly over: Promise<void>;
}

export class NativeSpawner implements Spawner, AsyncDisposable {
  #means: Promise<Means> | undefined;
  /** The same, for what cannot wait. */
  #library: CLibrary | undefined;
  /** Shells that nobody has waited for, by pid. */
  readonly #children = new Map<number, Child>();
  /** Shells that have ended, and whose announcement may still be in the pipe. */
  readonly #ended = new Map<number, Child>();
  #starting = 0;
  /** What was announced, by the pid of the shell, before a spawn under way has told us that pid. */
  readonly #early = new Map<number, ProcessIdentity>();
  readonly #writes = new Set<Promise<void>>();
  #isListening = false;
  /** No shell is started, and nothing read, any more. */
  #isEnding = false;
  /** The pipe is closed; the library is still needed as long as there are children. */
  #isClosed = false;

  private constructor() {}

  /** `undefined` where this does not work, or would not give jobs our whole environment. */
  static open(): NativeSpawner | undefined {
    try {
      const { state } = Deno.permissions.querySync({ name: "ffi" });
      if (Deno.build.os !== "linux" || state !== "granted") return undefined;
      // Deno does not show variables that are not text.
      new TextDecoder("utf-8", { fatal: true }).decode(Deno.readFileSync("/proc/self/environ"));
      return new NativeSpawner();
    } catch {
      return undefined;
    }
  }

  async spawn(
    args: readonly string[],
    environment: Readonly<Record<string, string>>,
  ): Promise<SpawnedShell> {
    if (this.#isEnding) throw new Error("no shells are started any more");
    const entries = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
    this.#starting++;
    try {
      const pid = await this.#start([SHELL, ...args], entries);
      if (pid !== undefined) return this.#adopt(pid);
    } finally {
      if (--this.#starting === 0) this.#early.clear();
      this.#endIfIdle();
    }
    // Deno has the words for what is wrong; and if nothing is any more, all the better.
    return await denoSpawner.spawn(args, environment);
  }

  /**
   * Nothing is heard of shells that still run, but they are waited for at their end, so that none
   * stays a zombie. May be repeated.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isEnding) return;
    this.#isEnding = true;
    const means = await this.#means?.catch(() => undefined);
    if (means !== undefined) {
      const { library, writeEnd, recipe, over } = means;
      await Promise.all(this.#writes);
      // Ends the read that is waiting.
      await library.write(writeEnd, "\n");
      await over;
      library.close(writeEnd);
      library.freeRecipe(recipe);
    }
    this.#isClosed = true;
    this.#endIfIdle();
  }

  async #start(args: string[], entries: string[]): Promise<number | undefined> {
    // C would see the end of such a text too early.
    if ([...args, ...entries].some((text) => text.includes("\0"))) return undefined;
    const opening = this.#means ??= this.#open();
    const means = await opening.catch(() => undefined);
    if (means === undefined) {
      // There may be too many open files at the moment.
      if (this.#means === opening) this.#means = undefined;
      return undefined;
    }
    if (!this.#isListening) Deno.addSignalListener("SIGCHLD", this.#onChildEnd);
    this.#isListening = true;
    return await means.library.spawn(means.recipe, SHELL, { args, environment: entries });
  }

  #adopt(pid: number): SpawnedShell {
    const child: Child = {
      announced: Promise.withResolvers(),
      ended: Promise.withResolvers(),
      isAnnounced: false,
    };
    this.#children.set(pid, child);
    // Before it is waited for: until then, even a child that has ended keeps its pid.
    const identity = identityOf(pid);
    const early = this.#early.get(pid);
    if (early !== undefined) announce(child, early);
    // It may have ended when nobody knew yet whose end that was.
    this.#look(pid, child);
    return {
      pid,
      identity,
      announced: child.announced.promise,
      ended: child.ended.promise,
      detach() {},
    };
  }

  readonly #onChildEnd = (): void => {
    for (const [pid, child] of this.#children) this.#look(pid, child);
    this.#endIfIdle();
  };

  #look(pid: number, child: Child): void {
    const result = this.#library!.wait(pid);
    if (result === "running") return;
    this.#children.delete(pid);
    child.ended.resolve(result.status);
    if (child.isAnnounced || this.#isEnding) return child.announced.resolve(undefined);
    // Whatever it announced is in the pipe by now, in front of this.
    this.#ended.set(pid, child);
    const write = this.#means!
      .then(({ library, writeEnd }) => library.write(writeEnd, `${ENDED}${pid}\n`))
      .finally(() => this.#writes.delete(write));
    this.#writes.add(write);
  }

  async #open(): Promise<Means> {
    const library = new CLibrary();
    try {
      const { readEnd, writeEnd } = library.pipe();
      try {
        const recipe = library.spawnRecipe(writeEnd);
        // Deno reads only what it has opened itself.
        const file = await Deno.open(`/proc/self/fd/${readEnd}`);
        this.#library = library;
        return { library, writeEnd, recipe, over: this.#read(file) };
      } catch (error) {
        library.close(writeEnd);
        throw error;
      } finally {
        library.close(readEnd);
      }
    } catch (error) {
      library[Symbol.dispose]();
      throw error;
    }
  }

  async #read(file: Deno.FsFile): Promise<void> {
    using _file = file;
    const buffer = new Uint8Array(BUFFER_BYTES);
    const decoder = new TextDecoder();
    let rest = "";
    while (!this.#isEnding) {
      const count = await file.read(buffer);
      if (count === null) return;
      const lines = (rest + decoder.decode(buffer.subarray(0, count), { stream: true })).split(
        "\n",
      );
      rest = lines.pop()!;
      for (const line of lines) this.#onLine(line);
    }
  }

  #onLine(line: string): void {
    if (line.startsWith(ENDED)) {
      const pid = Number(line.slice(ENDED.length));
      this.#ended.get(pid)?.announced.resolve(undefined);
      this.#ended.delete(pid);
      return;
    }
    const entry = parseStatLine(line);
    if (entry === undefined) return;
    const child = this.#children.get(entry.parent) ?? this.#ended.get(entry.parent);
    if (child !== undefined) announce(child, entry);
    else if (this.#starting > 0) this.#early.set(entry.parent, entry);
  }

  #endIfIdle(): void {
    if (!this.#isClosed || this.#children.size > 0 || this.#starting > 0) return;
    if (this.#isListening) Deno.removeSignalListener("SIGCHLD", this.#onChildEnd);
    this.#isListening = false;
    this.#library?.[Symbol.dispose]();
    this.#library = undefined;
  }
}

function announce(child: Child, identity: ProcessIdentity): void {
  child.isAnnounced = true;
  child.announced.resolve(identity);
}
