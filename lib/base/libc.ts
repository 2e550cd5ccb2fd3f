/**
 * The C library, for what Deno has no interface to: pseudo terminals and network interfaces. Only
 * calls that return at once, on file descriptors that never make one wait; see `polled_files.ts`
 * for how to wait for them. The numbers in here are those of Linux on x86-64 and ARM (asm-generic).
 */

const SYMBOLS = {
  open: { parameters: ["buffer", "i32", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  ioctl: { parameters: ["i32", "usize", "buffer"], result: "i32" },
  posix_openpt: { parameters: ["i32"], result: "i32" },
  grantpt: { parameters: ["i32"], result: "i32" },
  unlockpt: { parameters: ["i32"], result: "i32" },
  ptsname_r: { parameters: ["i32", "buffer", "usize"], result: "i32" },
  eventfd: { parameters: ["u32", "i32"], result: "i32" },
  epoll_create1: { parameters: ["i32"], result: "i32" },
  epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  // In a thread of its own, since it waits.
  epoll_wait: { parameters: ["i32", "buffer", "i32", "i32"], result: "i32", nonblocking: true },
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  send: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
  recv: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
  if_nametoindex: { parameters: ["buffer"], result: "u32" },
  __errno_location: { parameters: [], result: "pointer" },
  strerror: { parameters: ["i32"], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

/** Flags of open(2) and posix_openpt(3). Without the last one, children would inherit the file. */
export const OpenFlag = {
  readWrite: 0o2,
  noControllingTerminal: 0o400,
  nonBlocking: 0o4000,
  closeOnExec: 0o2000000,
} as const;

/** Error numbers that callers tell apart. */
export const Errno = {
  noProcess: 3,
  inputOutput: 5,
  again: 11,
  busy: 16,
  exists: 17,
} as const;

/** A system call failed; the message says which, and why in the system's words. */
export class SystemCallError extends Error {
  override readonly name = "SystemCallError";

  constructor(message: string, readonly errno: number) {
    super(message);
  }
}

export class Libc implements Disposable {
  readonly #library: Deno.DynamicLibrary<typeof SYMBOLS>;

  /** Throws if this system is another one than Linux with the GNU C library. */
  constructor() {
    Libc.assertSupported();
    try {
      this.#library = Deno.dlopen("libc.so.6", SYMBOLS);
    } catch (cause) {
      throw new Error("cannot use the C library (libc.so.6)", { cause });
    }
  }

  /** Throws unless this is Linux. */
  static assertSupported(): void {
    const { os } = Deno.build;
    if (os !== "linux") throw new Error(`not supported on ${os}: it needs Linux`);
  }

  /** The functions as they are, for calls that have no method. */
  get call(): Deno.DynamicLibrary<typeof SYMBOLS>["symbols"] {
    return this.#library.symbols;
  }

  /** A file descriptor, which the caller closes. `flags` are of `OpenFlag`. */
  open(path: string, flags: number): number {
    return this.check(this.call.open(encodeCString(path), flags, 0), `open ${path}`);
  }

  /** What close(2) reports is of no use: the descriptor is gone all the same. */
  close(fd: number): void {
    this.call.close(fd);
  }

  /** How many bytes were read, 0 at the end; undefined if there are none yet. */
  read(fd: number, into: Uint8Array<ArrayBuffer>): number | undefined {
    return this.#unlessAgain(Number(this.call.read(fd, into, BigInt(into.length))), "read");
  }

  /** How many bytes were taken; undefined if there is no room now. */
  write(fd: number, bytes: Uint8Array<ArrayBuffer>): number | undefined {
    return this.#unlessAgain(Number(this.call.write(fd, bytes, BigInt(bytes.length))), "write");
  }

  /** `argument` is the structure that the request reads or fills in. */
  ioctl(fd: number, request: number, argument: Uint8Array<ArrayBuffer>, what: string): void {
    this.check(this.call.ioctl(fd, BigInt(request), argument), what);
  }

  /** Returns what a call returned, or throws a `SystemCallError` if that was negative. */
  check(result: number, what: string): number {
    if (result < 0) throw this.error(what, this.#errno());
    return result;
  }

  /** An error that the kernel reported in some other way. */
  error(what: string, errno: number): SystemCallError {
    const text = new Deno.UnsafePointerView(this.call.strerror(errno)!).getCString();
    return new SystemCallError(`${what}: ${text}`, errno);
  }

  /** No call may be under way. */
  [Symbol.dispose](): void {
    this.#library.close();
  }

  #unlessAgain(result: number, what: string): number | undefined {
    if (result >= 0) return result;
    const errno = this.#errno();
    // It happens too often for an `Error` each time.
    if (errno === Errno.again) return undefined;
    throw this.error(what, errno);
  }

  /** That of the call before, which nothing in between may have replaced. */
  #errno(): number {
    return new Deno.UnsafePointerView(this.call.__errno_location()!).getInt32();
  }
}

/** With the zero byte that ends a string in C. */
export function encodeCString(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${text}\0`);
}
