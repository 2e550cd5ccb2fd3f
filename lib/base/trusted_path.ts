/**
 * Folders and files that nobody but us and root can have created or can replace. In shared folders,
 * such as `/tmp`, another user may be first.
 *
 * Group write access is accepted as the owner's choice: only the owner can grant it, and containers
 * depend on it (volumes with an `fsGroup`, arbitrary user ids in group 0). Write access for
 * everybody is not accepted.
 */

/** The functions of the file system that are used. */
export interface PathReader {
  readonly lstat: (path: string) => Promise<PathInfo>;
  readonly readLink: (path: string) => Promise<string>;
  readonly mkdir: (path: string, options: { mode: number }) => Promise<void>;
}

export type PathInfo = Pick<Deno.FileInfo, "isFile" | "isDirectory" | "isSymlink" | "uid" | "mode">;

/** Somebody else has changed, or could change, what is at a path. */
export class ForeignPathError extends Error {
  override readonly name = "ForeignPathError";
}

const PRIVATE_MODE = 0o700;
const OTHERS_MAY_WRITE = 0o002;
/** Only the owner of an entry may rename or remove it. */
const STICKY = 0o1000;
/** The system's own bound. */
const MAX_LINKS = 40;
/** The records of units are smaller. */
const TEXT_BUFFER_BYTES = 16 * 1024;
/** We may replace a file at the very moment when it is opened, but not again and again. */
const OPEN_ATTEMPTS = 10;

/**
 * Why the user `uid` must not trust `info`, as given by `lstat`; undefined if it may. With
 * `shared`, a folder may be one in which everybody may create entries.
 */
export function foreignReason(
  { uid: owner, mode, isSymlink }: PathInfo,
  { uid = Deno.uid(), shared = false }: { uid?: number | null; shared?: boolean } = {},
): string | undefined {
  // Systems without owners report none.
  if (owner === null) return undefined;
  if (owner !== 0 && owner !== uid) return `belongs to user ${owner}, not to you or root`;
  // Links have no permissions of their own.
  if (isSymlink || mode === null || (mode & OTHERS_MAY_WRITE) === 0) return undefined;
  if (shared && (mode & STICKY) !== 0) return undefined;
  return `may be written by everybody (mode 0${(mode & 0o7777).toString(8)})`;
}

/**
 * Creates the folder `path` (absolute, or below the current folder) and any missing ones above it,
 * private to us; existing parts are checked from the root down, links included. Throws a
 * `ForeignPathError` that names the part that is not ours or root's, or that others may write to.
 * Shared folders such as `/tmp` may be on the way, and with `shared` at the end.
 */
export async function makeTrustedFolder(
  path: string,
  { uid = Deno.uid(), shared = false, reader = Deno as PathReader }: {
    uid?: number | null;
    shared?: boolean;
    reader?: PathReader;
  } = {},
): Promise<void> {
  const wanted = path.startsWith("/") ? path : `${Deno.cwd()}/${path}`;
  const ahead = partsOf(wanted);
  let at = "";
  let links = 0;
  await checkFolder("/", ahead.length > 0 || shared);
  while (ahead.length > 0) {
    const part = ahead.shift()!;
    if (part === "..") {
      at = at.slice(0, at.lastIndexOf("/"));
      continue;
    }
    const place = `${at}/${part}`;
    const info = await checkFolder(place, ahead.length > 0 || shared);
    if (!info.isSymlink) {
      at = place;
      continue;
    }
    if (++links > MAX_LINKS) throw new ForeignPathError(`${path} leads through too many links`);
    const target = await reader.readLink(place);
    if (target.startsWith("/")) at = "";
    ahead.unshift(...partsOf(target));
  }

  async function checkFolder(place: string, shared: boolean): Promise<PathInfo> {
    const info = await lstatOrMake(place, reader);
    if (!info.isDirectory && !info.isSymlink) {
      throw new Deno.errors.NotADirectory(`Not a directory: ${place}`);
    }
    const problem = foreignReason(info, { uid, shared });
    if (problem === undefined) return info;
    const where = place === wanted ? place : `${path} is not safe: ${place}`;
    throw new ForeignPathError(`${where} ${problem}`);
  }
}

/**
 * Opens the file at `path`, or with `create` creates it, without following a link and only if it is
 * ours or root's alone. Throws a `ForeignPathError` if it is not.
 */
export async function openOwnFile(
  path: string,
  { create = false, mode, ...how }: Omit<Deno.OpenOptions, "createNew" | "truncate">,
): Promise<Deno.FsFile> {
  for (let attempt = 1; attempt <= OPEN_ATTEMPTS; attempt++) {
    if (create) {
      // In most cases there is no such file yet.
      try {
        return await Deno.open(path, { ...how, createNew: true, ...(mode ? { mode } : {}) });
      } catch (error) {
        if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
      }
    }
    const before = await lstatOrNothing(path);
    if (before === undefined) {
      if (create) continue;
      throw new Deno.errors.NotFound(`No such file or directory: ${path}`);
    }
    const problem = before.isFile ? foreignReason(before) : "is not a file";
    if (problem !== undefined) throw new ForeignPathError(`${path} ${problem}`);
    const file = await Deno.open(path, how);
    const opened = file.statSync();
    if (opened.dev === before.dev && opened.ino === before.ino) return file;
    file.close();
  }
  throw new ForeignPathError(`${path} is replaced again and again while it is opened`);
}

/** The text of a file that `openOwnFile` opens. */
export async function readOwnTextFile(path: string): Promise<string> {
  using file = await openOwnFile(path, { read: true });
  let text = "";
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(TEXT_BUFFER_BYTES);
  for (let count; (count = await file.read(buffer)) !== null;) {
    text += decoder.decode(buffer.subarray(0, count), { stream: true });
  }
  return text + decoder.decode();
}

function partsOf(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}

async function lstatOrMake(path: string, reader: PathReader): Promise<PathInfo> {
  try {
    return await reader.lstat(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  try {
    await reader.mkdir(path, { mode: PRIVATE_MODE });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
  return await reader.lstat(path);
}

async function lstatOrNothing(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.lstat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
