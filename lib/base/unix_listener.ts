/**
 * A node's Unix sockets: nobody can ever connect unless the mode allows it, two listeners never share
 * one, and what a dead node left behind is no obstacle.
 */
import { closeQuietly } from "./byte_conn.ts";
import { type Clock, sleep, systemClock } from "./clock.ts";
import { type Log, silentLog } from "./log.ts";
import { type Random, randomText, systemRandom } from "./random.ts";
import { openOwnFile } from "./trusted_path.ts";

/** The path is in use by a running node. */
export class SocketInUseError extends Error {
  override readonly name = "SocketInUseError";
  constructor(readonly path: string, what = "socket") {
    super(`another node holds the ${what} ${path}`);
  }
}

export interface UnixListenerOptions {
  /** Permissions of the socket file, such as `0o600`. Connecting takes write permission. */
  mode: number;
  /** What the socket is, for messages. @default {"socket"} */
  what?: string | undefined;
  clock?: Clock | undefined;
  log?: Log | undefined;
  random?: Random | undefined;
}

/** `sun_path` has 108 bytes on Linux, the last of them zero. */
const MAX_PATH_BYTES = 107;
/** Pause after a failed accept: file descriptors have run out, which passes as clients leave. */
const ACCEPT_RETRY_MS = 100;

/**
 * Listens on `path`. Throws a `SocketInUseError` if another node holds it, and refuses to replace
 * anything that is not a socket. Holds `<path>.lock` while it listens, as the original does.
 */
export async function listenUnix(
  path: string,
  options: UnixListenerOptions,
): Promise<UnixListener> {
  if (new TextEncoder().encode(path).length > MAX_PATH_BYTES) {
    throw new RangeError(`socket path is longer than ${MAX_PATH_BYTES} bytes: ${path}`);
  }
  await using resources = new AsyncDisposableStack();
  const { what = "socket" } = options;
  const lock = resources.use(await takeLock(path, what));
  await checkFree(path, what);
  const listener = resources.use(await bindPrivately(path, options));
  const socket = await Deno.lstat(path);
  resources.move();
  return new UnixListener(path, socket, listener, lock, options);
}

/** Iterates over the clients that connect, until it is closed. */
export class UnixListener implements AsyncDisposable {
  readonly path: string;
  readonly #socket: Deno.FileInfo;
  readonly #listener: Deno.UnixListener;
  readonly #lock: Deno.FsFile;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #what: string;
  #closed = false;

  /** Use `listenUnix`. */
  constructor(
    path: string,
    socket: Deno.FileInfo,
    listener: Deno.UnixListener,
    lock: Deno.FsFile,
    options: UnixListenerOptions,
  ) {
    this.path = path;
    this.#socket = socket;
    this.#listener = listener;
    this.#lock = lock;
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log ?? silentLog;
    this.#what = options.what ?? "socket";
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Deno.UnixConn> {
    while (!this.#closed) {
      let conn: Deno.UnixConn;
      try {
        conn = await this.#listener.accept();
      } catch (error) {
        if (this.#closed) return;
        this.#log.warning(`Error accepting connection on ${this.path}: ${error}`);
        await sleep(this.#clock, ACCEPT_RETRY_MS);
        continue;
      }
      yield conn;
    }
  }

  /** Stops listening and removes the socket file, unless it is somebody else's by now. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    try {
      const found = await Deno.lstat(this.path);
      if (found.dev === this.#socket.dev && found.ino === this.#socket.ino) {
        await Deno.remove(this.path);
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) {
        this.#log.warning(`Could not remove ${this.#what} ${this.path}: ${error}`);
      }
    } finally {
      this.#listener.close();
      this.#lock.close();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

async function takeLock(path: string, what: string): Promise<Deno.FsFile> {
  const lock = await openOwnFile(`${path}.lock`, { create: true, write: true, mode: 0o600 })
    .catch((cause) => {
      throw new Error(`cannot create ${what} ${path}: ${cause.message}`, { cause });
    });
  if (await lock.tryLock(true)) return lock;
  lock.close();
  throw new SocketInUseError(path, what);
}

/** A node that takes no lock may still answer there. */
async function checkFree(path: string, what: string): Promise<void> {
  const found = await Deno.lstat(path).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  });
  if (found === undefined) return;
  if (!found.isSocket) {
    throw new Error(`cannot create ${what} ${path}: a file that is not a socket is there`);
  }
  try {
    closeQuietly(await Deno.connect({ transport: "unix", path }));
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) return;
    throw new Error(`cannot replace ${what} ${path}`, { cause: error });
  }
  throw new SocketInUseError(path, what);
}

/**
 * Binds in a folder that only we can enter, sets the mode, and moves the socket into place, which
 * also replaces a dead one. So at no moment can others connect.
 */
async function bindPrivately(
  path: string,
  { mode, random = systemRandom }: UnixListenerOptions,
): Promise<Deno.UnixListener> {
  const slash = path.lastIndexOf("/");
  // Short, so that a path of nearly the maximum length still works.
  const folder = `${path.slice(0, slash + 1)}.${randomText(random, 4)}`;
  const temporary = `${folder}/s`;
  await using cleanUp = new AsyncDisposableStack();
  await Deno.mkdir(folder, { mode: 0o700 });
  cleanUp.defer(() => Deno.remove(folder, { recursive: true }));
  // On close, Deno unlinks the path that it bound, which is gone by then: `path` is ours to remove.
  const listener = Deno.listen({ transport: "unix", path: temporary });
  try {
    await Deno.chmod(temporary, mode);
    await Deno.rename(temporary, path);
  } catch (error) {
    listener.close();
    throw error;
  }
  return listener;
}
