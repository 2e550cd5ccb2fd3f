/**
 * Writes certificates and keys so that nobody ever sees a partial file, or a key open to others.
 */
import { basename, dirname } from "node:path";
import { syncDirectory, writeFully } from "../base/durable_file.ts";
import { fileReasonOf } from "../base/error_message.ts";

export interface OutputFile {
  readonly path: string;
  readonly contents: string;
}

/**
 * Writes all `files`, with mode 0600 as the original does, or none: first each under a temporary
 * name, renamed when all are on the disk. Throws an `Error` that names the file that cannot be
 * written.
 */
export async function writeFiles(files: readonly OutputFile[]): Promise<void> {
  const written: { temporary: string; path: string }[] = [];
  try {
    for (const { path, contents } of files) {
      const temporary = await named(path, () => writeTemporary(path, contents));
      written.push({ temporary, path });
    }
    for (const { temporary, path } of written) {
      await named(path, () => Deno.rename(temporary, path));
    }
  } catch (error) {
    // Those that have been renamed no longer have this name.
    for (const { temporary } of written) await Deno.remove(temporary).catch(() => {});
    throw error;
  }
  for (const folder of new Set(files.map(({ path }) => dirname(path)))) {
    await syncDirectory(folder);
  }
}

async function writeTemporary(path: string, contents: string): Promise<string> {
  // Renaming would fail on it, after others have already been renamed.
  const existing = await Deno.stat(path).catch(() => undefined);
  if (existing?.isDirectory) throw new Error("is a directory");
  // Created with mode 0600 and a name that nobody can have prepared.
  const temporary = await Deno.makeTempFile({ dir: dirname(path), prefix: `.${basename(path)}.` });
  try {
    using file = await Deno.open(temporary, { write: true });
    await writeFully(file, new TextEncoder().encode(contents));
    await file.sync();
    return temporary;
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw error;
  }
}

async function named<T>(path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    throw new Error(`open ${path}: ${fileReasonOf(cause)}`, { cause });
  }
}
