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

/** A file on its way: complete on the disk under a temporary name. */
interface Written {
  readonly path: string;
  readonly temporary: string;
  /** Another name of the file that was at `path` before, if there was one. */
  previous?: string;
  isInPlace?: boolean;
}

/**
 * Writes all `files`, with mode 0600 as the original does, or none: first each under a temporary
 * name, renamed when all are on the disk. Throws an `Error` that names the file that cannot be
 * written.
 */
export async function writeFiles(files: readonly OutputFile[]): Promise<void> {
  const written: Written[] = [];
  try {
    for (const { path, contents } of files) {
      written.push({ path, temporary: await named(path, () => writeTemporary(path, contents)) });
    }
    for (const file of written) await named(file.path, () => putInPlace(file));
  } catch (error) {
    for (const file of written) await takeBack(file);
    throw error;
  } finally {
    for (const { previous } of written) if (previous) await Deno.remove(previous).catch(() => {});
  }
  for (const folder of new Set(files.map(({ path }) => dirname(path)))) {
    await syncDirectory(folder);
  }
}

async function putInPlace(file: Written): Promise<void> {
  const previous = `${file.temporary}.previous`;
  try {
    // Not every file system has links, and not every file may be linked to.
    await Deno.link(file.path, previous).catch(() => Deno.copyFile(file.path, previous));
    file.previous = previous;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  await Deno.rename(file.temporary, file.path);
  file.isInPlace = true;
}

async function takeBack({ path, temporary, previous, isInPlace }: Written): Promise<void> {
  if (!isInPlace) await Deno.remove(temporary).catch(() => {});
  else if (previous) await Deno.rename(previous, path).catch(() => {});
  else await Deno.remove(path).catch(() => {});
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
