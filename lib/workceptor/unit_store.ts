/**
 * A node's units on disk: `<data folder>/<node id>/<unit id>/` with `stdin`, `stdout` and
 * `status`, as the original keeps them.
 */
import { replaceFile, syncDirectory } from "../base/durable_file.ts";
import { isUnitFolderName, nodeFolderName } from "./unit_id.ts";
import { decodeRecord, encodeRecord, type UnitRecord } from "./unit_record.ts";

/** The data folder belongs to another daemon that runs under the same node id. */
export class StoreInUseError extends Error {
  override readonly name = "StoreInUseError";
}

const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;

/** A removal races with a dying job that still makes files; the original tries 3 times, too. */
const REMOVE_ATTEMPTS = 3;

export class UnitStore implements Disposable {
  readonly folder: string;
  readonly #lock: Deno.FsFile;
  #open = true;

  private constructor(folder: string, lock: Deno.FsFile) {
    this.folder = folder;
    this.#lock = lock;
  }

  /**
   * Opens, and if need be makes, the folder of `nodeId` below `dataDir`. Throws a
   * `StoreInUseError` when another process has it open: two daemons would both start its jobs.
   */
  static async open(dataDir: string, nodeId: string): Promise<UnitStore> {
    const name = nodeFolderName(nodeId);
    const folder = `${dataDir}/${name}`;
    await Deno.mkdir(folder, { recursive: true, mode: FOLDER_MODE });
    // Beside the folder, not in it: the original takes all that is in it for units.
    const path = `${dataDir}/.${name}.lock`;
    const lock = await Deno.open(path, { write: true, create: true, mode: FILE_MODE });
    try {
      if (await lock.tryLock(true)) return new UnitStore(folder, lock);
      throw new StoreInUseError(`${folder} is in use by another node with the id ${nodeId}`);
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

  /** Makes a unit's folder. Throws `Deno.errors.AlreadyExists` when there is one. */
  async create(id: string): Promise<void> {
    await Deno.mkdir(this.unitFolder(id), { mode: FOLDER_MODE });
    await syncDirectory(this.folder);
  }

  /** Ids of all units on disk, in no order. */
  async list(): Promise<string[]> {
    const ids: string[] = [];
    for await (const { isDirectory, name } of Deno.readDir(this.folder)) {
      if (isDirectory && isUnitFolderName(name)) ids.push(name);
    }
    return ids;
  }

  async has(id: string): Promise<boolean> {
    if (!isUnitFolderName(id)) return false;
    try {
      return (await Deno.stat(this.unitFolder(id))).isDirectory;
    } catch {
      return false;
    }
  }

  /** Throws `Deno.errors.NotFound` without a `status` file, and `SyntaxError` for a broken one. */
  async load(id: string): Promise<UnitRecord> {
    return decodeRecord(await Deno.readTextFile(`${this.folder}/${id}/status`));
  }

  /** Resolves once the record is on the disk. One call at a time for one unit. */
  save(id: string, record: UnitRecord): Promise<void> {
    return replaceFile(`${this.folder}/${id}/status`, encodeRecord(record), { mode: FILE_MODE });
  }

  openStdin(id: string): Promise<Deno.FsFile> {
    return Deno.open(this.stdinPath(id), {
      write: true,
      create: true,
      truncate: true,
      mode: FILE_MODE,
    });
  }

  /** Opens `stdout` to append, making it if need be. */
  openStdout(id: string): Promise<Deno.FsFile> {
    return Deno.open(this.stdoutPath(id), { append: true, create: true, mode: FILE_MODE });
  }

  /** Bytes of output; 0 while there is no `stdout`. */
  async stdoutSize(id: string): Promise<number> {
    try {
      return (await Deno.stat(this.stdoutPath(id))).size;
    } catch {
      return 0;
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

  /** Deletes a unit's folder; one that is gone already, or half gone, is fine. */
  async remove(id: string): Promise<void> {
    for (let attempt = 1;; attempt++) {
      try {
        await Deno.remove(this.unitFolder(id), { recursive: true });
        break;
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) break;
        if (attempt === REMOVE_ATTEMPTS) throw error;
      }
    }
    await syncDirectory(this.folder);
  }

  /** When an entry was last made or removed in the folder: milliseconds, `undefined` unknown. */
  async changedAt(): Promise<number | undefined> {
    return (await Deno.stat(this.folder)).mtime?.getTime();
  }

  /** May be repeated. */
  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    this.#lock.close();
  }
}

async function syncData(path: string): Promise<void> {
  using file = await Deno.open(path);
  await file.syncData();
}
