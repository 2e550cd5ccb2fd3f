/**
 * Files that survive a crash of the program and of the machine: written under a temporary name,
 * synced and renamed, so that a reader sees the old contents or the new, never a mixture.
 */

/** A write of no more than this only fills a page or two of the system's cache. */
const SHORT_BYTES = 4096;

/**
 * Replaces the file at `path`. Resolves once the new contents and the new directory entry are on
 * the disk. One writer at a time for each path: the temporary name is fixed (`<path>.new`), so that
 * what a crash leaves behind is replaced rather than piling up.
 */
export async function replaceFile(
  path: string,
  contents: string | Uint8Array<ArrayBuffer>,
  options: { mode?: number } = {},
): Promise<void> {
  const temporary = `${path}.new`;
  await writeNewFile(temporary, contents, options);
  await Deno.rename(temporary, path);
  const slash = path.lastIndexOf("/");
  await syncDirectory(slash < 0 ? "." : path.slice(0, slash + 1));
}

/**
 * Creates a file, instead of any that is at `path`. Resolves once the contents are on the disk;
 * whether the directory entry is, depends on a sync of the directory.
 */
export async function writeNewFile(
  path: string,
  contents: string | Uint8Array<ArrayBuffer>,
  { mode = 0o600 }: { mode?: number } = {},
): Promise<void> {
  const bytes = typeof contents === "string" ? new TextEncoder().encode(contents) : contents;
  using file = await createAnew(path, mode);
  if (bytes.length <= SHORT_BYTES) writeShort(file, bytes);
  else await writeFully(file, bytes);
  await file.sync();
}

/** Another thread would take many times as long to be asked. */
function writeShort(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length;) {
    written += file.writeSync(bytes.subarray(written));
  }
}

/** Whatever is there already is taken away first: writing through a link would hit its target. */
async function createAnew(path: string, mode: number): Promise<Deno.FsFile> {
  const options = { write: true, createNew: true, mode };
  try {
    return await Deno.open(path, options);
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    if ((await Deno.lstat(path)).isDirectory) throw error;
    await Deno.remove(path);
    return await Deno.open(path, options);
  }
}

/** Puts the entries of a directory (files created, renamed or removed in it) on the disk. */
export async function syncDirectory(path: string): Promise<void> {
  // Its entries have just been changed, so this waits for nothing.
  using directory = Deno.openSync(path);
  await directory.sync();
}

/** Writes all of `bytes` at the file's position, however many writes that takes. */
export async function writeFully(
  file: { write(bytes: Uint8Array): Promise<number> },
  bytes: Uint8Array,
): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    written += await file.write(written === 0 ? bytes : bytes.subarray(written));
  }
}
