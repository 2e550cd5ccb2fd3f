/**
 * A node's units on disk: `<data folder>/<node id>/<unit id>/` with `stdin`, `stdout` and
 * `status`, as the Go daemon keeps them.
 *
 * Next to the node's folder, since the Go daemon takes everything in it for units:
 *
 *     .<node id>.lock       held by the daemon that has the folder
 *     .<node id>.staging/   units being created or deleted, so that no partial unit is ever visible
 *
 * Of a node id that is too long for these names, they have the beginning and a hash.
 */
import { syncDirectory } from "../base/durable_file.ts";
import {
  ForeignPathError,
  foreignReason,
  makeTrustedFolder,
  openOwnFile,
} from "../base/trusted_path.ts";
import { companionName, isUnitFolderName, nodeFolderName } from "./unit_id.ts";
import { createStatus, readStatus, writeStatus } from "./status_file.ts";
import type { UnitRecord } from "./unit_record.ts";

/** The data folder belongs to another daemon that is running with the same node id. */
export class StoreInUseError extends Error {
  override readonly name = "StoreInUseError";
  /** `folder` is where the units of the node id are. */
  constructor(readonly folder: string, nodeId: string) {
    super(`${folder} is in use by another node with the id ${nodeId}`);
  }
}

const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;

/** A deletion may race with a job that still creates files; the Go daemon tries 3 times too. */
const DELETE_ATTEMPTS = 3;

export class UnitStore implements Disposable {
  readonly folder: string;
  readonly #staging: string;
  readonly #lock: Deno.FsFile;
  #staged = 0;
  #open = true;

  private constructor(folder: string, staging: string, lock: Deno.FsFile) {
    this.folder = folder;
    this.#staging = staging;
    this.#lock = lock;
  }

  /**
   * Opens, and if need be creates, the folder of `nodeId` below `dataDir`. Throws a
   * `StoreInUseError` if another process has it open: two daemons would both start its jobs. Throws
   * a `ForeignPathError` when others could put units there, which would run as ours.
   */
  static async open(dataDir: string, nodeId: string): Promise<UnitStore> {
    const name = nodeFolderName(nodeId);
    const folder = `${dataDir}/${name}`;
    const lock = await withAdvice(async () => {
      await makeTrustedFolder(folder);
      const path = `${dataDir}/${companionName(name, ".lock")}`;
      return await openOwnFile(path, { write: true, create: true, mode: FILE_MODE });
    });
    try {
      if (!await lock.tryLock(true)) {
        throw new StoreInUseError(folder, nodeId);
      }
      const beside = `${dataDir}/${companionName(name, ".staging")}`;
      const staging = await canRename(beside, folder) ? beside : `${folder}/.staging`;
      await withAdvice(() => makeTrustedFolder(staging));
      return new UnitStore(folder, staging, lock);
    } catch (error) {
      lock.close();
      throw error;
    }
  }

  unitFolder(id: string): string {
    return `${this.folder}/${id}`;
  }

  stdinPath(id: string): string {
    return `${this.folder}/${id}/stdin`;
  }

  stdoutPath(id: string): string {
    return `${this.folder}/${id}/stdout`;
  }

  /**
   * Creates a unit with its record and an empty `stdin`, which is returned open for writing. Throws
   * `Deno.errors.AlreadyExists` if something has that name, or the disk's error if it refuses; then
   * nothing is left of the unit. One call at a time for one id.
   */
  create(id: string, record: UnitRecord): Promise<Deno.FsFile> {
    return this.#withFolders(async () => {
      const place = this.#newStagingPath();
      await Deno.mkdir(place, { mode: FOLDER_MODE });
      let stdin: Deno.FsFile | undefined;
      try {
        stdin = await createFile(`${place}/stdin`);
        await this.#bring(place, id, record);
        return stdin;
      } catch (error) {
        stdin?.close();
        await Deno.remove(place, { recursive: true }).catch(() => {});
        throw error;
      }
    });
  }

  /** Creates a unit's folder again that somebody removed, with nothing but the record in it. */
  restore(id: string, record: UnitRecord): Promise<void> {
    return this.#withFolders(async () => {
      const place = this.#newStagingPath();
      await Deno.mkdir(place, { mode: FOLDER_MODE });
      await this.#bring(place, id, record);
    });
  }

  /** Ids of all units on disk, in no order. */
  async list(): Promise<string[]> {
    try {
      const entries = await Array.fromAsync(Deno.readDir(this.folder));
      return entries
        .filter(({ isDirectory, name }) => isDirectory && isUnitFolderName(name))
        .map(({ name }) => name);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  }

  /** Whether there is a unit `id`, made by nobody but us. */
  async has(id: string): Promise<boolean> {
    if (!isUnitFolderName(id)) return false;
    try {
      const info = await Deno.lstat(this.unitFolder(id));
      return info.isDirectory && foreignReason(info) === undefined;
    } catch {
      return false;
    }
  }

  /** Why the folder of unit `id` is not to be touched; undefined when it is ours, or not there. */
  async problemWith(id: string): Promise<string | undefined> {
    try {
      const problem = foreignReason(await Deno.lstat(this.unitFolder(id)));
      return problem && `${this.unitFolder(id)} ${problem}`;
    } catch {
      return undefined;
    }
  }

  /**
   * Throws `Deno.errors.NotFound` if there is no `status` file, and `SyntaxError` for a broken one.
   */
  load(id: string): Promise<UnitRecord> {
    return readStatus(this.unitFolder(id));
  }

  /**
   * Resolves once the record is on the disk. One call at a time for one unit. Throws
   * `Deno.errors.NotFound` if the unit's folder is gone.
   */
  save(id: string, record: UnitRecord): Promise<void> {
    return writeStatus(this.unitFolder(id), record);
  }

  /** Opens `stdin` for reading. */
  readStdin(id: string): Promise<Deno.FsFile> {
    return openOwnFile(this.stdinPath(id), { read: true });
  }

  /** Opens `stdout` for appending, creating it if need be, even if the unit's folder is gone. */
  async openStdout(id: string): Promise<Deno.FsFile> {
    const options = { append: true, create: true, mode: FILE_MODE };
    try {
      return await openOwnFile(this.stdoutPath(id), options);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      await makeTrustedFolder(this.unitFolder(id));
      return await openOwnFile(this.stdoutPath(id), options);
    }
  }

  /** Opens `stdout` to be read. Throws `Deno.errors.NotFound` while there is none. */
  readStdout(id: string): Promise<Deno.FsFile> {
    return openOwnFile(this.stdoutPath(id), { read: true });
  }

  hasStdout(id: string): Promise<boolean> {
    return exists(this.stdoutPath(id));
  }

  /** Bytes of output; `undefined` while there is no `stdout`. */
  async stdoutSize(id: string): Promise<number | undefined> {
    try {
      return (await Deno.lstat(this.stdoutPath(id))).size;
    } catch {
      return undefined;
    }
  }

  /** Puts the payload on the disk. */
  syncStdin(id: string): Promise<void> {
    return syncData(this.stdinPath(id));
  }

  /** Puts the output on the disk. */
  syncStdout(id: string): Promise<void> {
    return syncData(this.stdoutPath(id));
  }

  /**
   * Takes a unit's folder away in one step that needs no disk space; if it is already gone, that is
   * fine. Resolves to what is left to do: deleting its contents.
   */
  async takeAway(id: string): Promise<() => Promise<void>> {
    const place = this.#newStagingPath();
    try {
      await this.#withFolders(() => Deno.rename(this.unitFolder(id), place));
      await syncDirectory(this.folder);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    return () => deleteFolder(place);
  }

  /** Deletes what a crash left of units that were being created or deleted. */
  async sweep(): Promise<void> {
    const left = await Array.fromAsync(Deno.readDir(this.#staging));
    for (const { name } of left) await deleteFolder(`${this.#staging}/${name}`);
  }

  /**
   * When an entry was last created or removed in the folder: milliseconds, `undefined` if unknown.
   */
  async changedAt(): Promise<number | undefined> {
    try {
      return (await Deno.stat(this.folder)).mtime?.getTime();
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
  }

  /** May be repeated. */
  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    this.#lock.close();
  }

  /** Completes the folder at `place` and moves it to where the unit `id` belongs. */
  async #bring(place: string, id: string, record: UnitRecord): Promise<void> {
    const folder = this.unitFolder(id);
    await createStatus(place, record);
    // A rename would replace an empty folder.
    if (await exists(folder)) throw new Deno.errors.AlreadyExists(`${folder} already exists`);
    await Deno.rename(place, folder);
    try {
      // Together, since the file system can write both at once.
      await Promise.all([syncDirectory(folder), syncDirectory(this.folder)]);
    } catch (error) {
      await Deno.rename(folder, place);
      throw error;
    }
  }

  /** A name that nothing else has: older entries were deleted by `sweep`, or cannot be. */
  #newStagingPath(): string {
    return `${this.#staging}/${Deno.pid}.${++this.#staged}`;
  }

  /** Programs that clean up `/tmp` remove empty folders, which are created again when needed. */
  async #withFolders<T>(step: () => Promise<T>): Promise<T> {
    try {
      return await step();
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      await makeTrustedFolder(this.folder);
      await makeTrustedFolder(this.#staging);
      return await step();
    }
  }
}

/** What is not ours alone is told with what would be right. */
async function withAdvice<T>(step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (cause) {
    if (!(cause instanceof ForeignPathError)) throw cause;
    throw new ForeignPathError(
      `${cause.message}: others could have jobs run as this node. ` +
        "Make it the node's user's alone (mode 0700), or give the node another datadir",
      { cause },
    );
  }
}

/** Whether folders made in `from` can be moved into `to`: not if either is a mount. */
async function canRename(from: string, to: string): Promise<boolean> {
  const probe = `${from}/probe`;
  const moved = `${to}/.probe`;
  try {
    await makeTrustedFolder(probe);
    await Deno.rename(probe, moved);
    await Deno.remove(moved);
    return true;
  } catch {
    return false;
  }
}

function createFile(path: string): Promise<Deno.FsFile> {
  return Deno.open(path, { write: true, createNew: true, mode: FILE_MODE });
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** One that is already gone, or partly gone, is fine. */
async function deleteFolder(path: string): Promise<void> {
  for (let attempt = 1;; attempt++) {
    try {
      return await Deno.remove(path, { recursive: true });
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      if (attempt === DELETE_ATTEMPTS) throw error;
    }
  }
}

async function syncData(path: string): Promise<void> {
  using file = await openOwnFile(path, { read: true });
  await file.syncData();
}
