/**
 * Files that survive a crash of the program and of the machine: written under a temporary name,
 * synced and renamed, so that a reader sees the old contents or the new, never a mixture.
 */

/**
 * Replaces the file at `path`. Resolves once the new contents and the new directory entry are on
 * the disk. One writer at a time for each path: the temporary name is fixed (`<path>.new`), so that
 * what a crash leaves behind is replaced rather than piling up.
 */
export async function replaceFile(
  path: string,
  contents: string | Uint8Array,
  options: { mode?: number } = {},
): Promise<void> {
  const bytes = typeof contents === "string" ? new TextEncoder().encode(contents) : contents;
  const temporary = `${path}.new`;
  {
    using file = await createAnew(temporary, options.mode ?? 0o600);
    await writeFully(file, bytes);
    await file.sync();
  }
  await Deno.rename(temporary, path);
  const slash = path.lastIndexOf("/");
  await syncDirectory(slash < 0 ? "." : path.slice(0, slash + 1));
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
  using directory = await Deno.open(path);
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
