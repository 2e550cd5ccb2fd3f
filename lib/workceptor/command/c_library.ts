/**
 * The few functions of the system's C library with which a shell is started off the event loop.
 * `posix_spawn` shares this process' memory with the child until that has become the shell, where a
 * fork would copy the tables of all its pages; and it is called in a thread that may wait.
 */

/** From the headers of glibc; the same on all 64-bit Linux machines that Deno runs on. */
const O_RDONLY = 0;
const O_WRONLY = 1;
const O_CLOEXEC = 0o2000000;
const WNOHANG = 1;
const SIGPIPE = 13;
const POSIX_SPAWN_SETSIGDEF = 0x04;
const POSIX_SPAWN_SETSIGMASK = 0x08;
const POSIX_SPAWN_SETSID = 0x80;

/** More bytes than these opaque structures have (80, 336 and 128). */
const FILE_ACTIONS_BYTES = 256;
const ATTRIBUTES_BYTES = 1024;
const SIGNAL_SET_BYTES = 128;

const SYMBOLS = {
  pipe2: { parameters: ["buffer", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  write: { parameters: ["i32", "buffer", "usize"], result: "isize", nonblocking: true },
  waitpid: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  posix_spawn: {
    parameters: ["buffer", "buffer", "buffer", "buffer", "buffer", "buffer"],
    result: "i32",
    nonblocking: true,
  },
  posix_spawn_file_actions_init: { parameters: ["buffer"], result: "i32" },
  posix_spawn_file_actions_addopen: {
    parameters: ["buffer", "i32", "buffer", "i32", "u32"],
    result: "i32",
  },
  posix_spawn_file_actions_adddup2: { parameters: ["buffer", "i32", "i32"], result: "i32" },
  posix_spawn_file_actions_destroy: { parameters: ["buffer"], result: "i32" },
  posix_spawnattr_init: { parameters: ["buffer"], result: "i32" },
  posix_spawnattr_setflags: { parameters: ["buffer", "i16"], result: "i32" },
  posix_spawnattr_setsigdefault: { parameters: ["buffer", "buffer"], result: "i32" },
  posix_spawnattr_setsigmask: { parameters: ["buffer", "buffer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** What became of a child: its exit status, `undefined` if it was killed or is not our child. */
export type WaitResult = "running" | { readonly status: number | undefined };

export class CLibrary implements Disposable {
  readonly #library = Deno.dlopen("libc.so.6", SYMBOLS);
  /** Memory that a call in another thread is using: the garbage collector must not free it. */
  readonly #lent = new Set<object>();
  readonly #waitStatus = new Int32Array(1);

  /** Both ends of a new pipe, which no child inherits. Throws if there are too many files. */
  pipe(): { readEnd: number; writeEnd: number } {
    const ends = new Int32Array(2);
    if (this.#library.symbols.pipe2(ends, O_CLOEXEC) !== 0) throw new Error("cannot make a pipe");
    return { readEnd: ends[0]!, writeEnd: ends[1]! };
  }

  close(descriptor: number): void {
    this.#library.symbols.close(descriptor);
  }

  /** Writes a text that fits into the pipe in one piece. */
  async write(descriptor: number, text: string): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    this.#lent.add(bytes);
    await this.#library.symbols.write(descriptor, bytes, BigInt(bytes.length));
    this.#lent.delete(bytes);
  }

  /** Looks after a child of ours; one that has ended can be looked at only once. */
  wait(pid: number): WaitResult {
    const result = this.#library.symbols.waitpid(pid, this.#waitStatus, WNOHANG);
    if (result === 0) return "running";
    const status = this.#waitStatus[0]!;
    const exited = result === pid && (status & 0x7f) === 0;
    return { status: exited ? status >> 8 & 0xff : undefined };
  }

  /** A recipe for children in sessions of their own, with only `stdout` open for them. */
  spawnRecipe(stdout: number): SpawnRecipe {
    const { symbols } = this.#library;
    const nowhere = terminated(["/dev/null"]);
    const fileActions = new Uint8Array(FILE_ACTIONS_BYTES);
    const attributes = new Uint8Array(ATTRIBUTES_BYTES);
    // Deno ignores SIGPIPE, and children would inherit that.
    const defaults = new Uint8Array(SIGNAL_SET_BYTES);
    defaults[(SIGPIPE - 1) >> 3] = 1 << ((SIGPIPE - 1) & 7);
    const flags = POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
    const failures = [
      symbols.posix_spawn_file_actions_init(fileActions),
      symbols.posix_spawn_file_actions_addopen(fileActions, 0, nowhere, O_RDONLY, 0),
      symbols.posix_spawn_file_actions_adddup2(fileActions, stdout, 1),
      symbols.posix_spawn_file_actions_addopen(fileActions, 2, nowhere, O_WRONLY, 0),
      symbols.posix_spawnattr_init(attributes),
      symbols.posix_spawnattr_setsigdefault(attributes, defaults),
      symbols.posix_spawnattr_setsigmask(attributes, new Uint8Array(SIGNAL_SET_BYTES)),
      symbols.posix_spawnattr_setflags(attributes, flags),
    ].filter((code) => code !== 0);
    if (failures.length > 0) throw new Error(`cannot prepare spawns: error ${failures[0]}`);
    return { fileActions, attributes };
  }

  freeRecipe({ fileActions }: SpawnRecipe): void {
    this.#library.symbols.posix_spawn_file_actions_destroy(fileActions);
  }

  /** Resolves to the child's pid once it runs `path`; `undefined` if that is impossible. */
  async spawn(
    recipe: SpawnRecipe,
    path: string,
    { args, environment }: { args: readonly string[]; environment: readonly string[] },
  ): Promise<number | undefined> {
    const call = {
      pid: new Int32Array(1),
      path: terminated([path]),
      args: stringArray(args),
      environment: stringArray(environment),
    };
    this.#lent.add(call);
    const error = await this.#library.symbols.posix_spawn(
      call.pid,
      call.path,
      recipe.fileActions,
      recipe.attributes,
      call.args.pointers,
      call.environment.pointers,
    );
    this.#lent.delete(call);
    return error === 0 ? call.pid[0]! : undefined;
  }

  [Symbol.dispose](): void {
    this.#library.close();
  }
}

/** How children are started; to be kept as long as a spawn uses it. */
export interface SpawnRecipe {
  readonly fileActions: Uint8Array<ArrayBuffer>;
  readonly attributes: Uint8Array<ArrayBuffer>;
}

/** A `char *[]` with the null pointer at its end, and the characters that it points to. */
interface StringArray {
  readonly pointers: BigUint64Array<ArrayBuffer>;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

function stringArray(strings: readonly string[]): StringArray {
  const bytes = terminated(strings);
  const start = BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes)));
  const pointers = new BigUint64Array(strings.length + 1);
  let at = 0;
  for (let index = 0; index < strings.length; index++) {
    pointers[index] = start + BigInt(at);
    at = bytes.indexOf(0, at) + 1;
  }
  return { pointers, bytes };
}

/** The strings one after the other, each with a zero byte at its end. */
function terminated(strings: readonly string[]): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(strings.map((text) => `${text}\0`).join(""));
}
