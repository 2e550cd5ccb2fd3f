/** The `status` file in a unit's folder. */
import { replaceFile, writeFully, writeNewFile } from "../base/durable_file.ts";
import { openOwnFile, readOwnTextFile } from "../base/trusted_path.ts";
import { decodeRecord, encodeRecord, type UnitRecord } from "./unit_record.ts";

const FILE_MODE = 0o600;

const BLANK = 0x20;
const NEWLINE = 0x0a;

/** The unit of `blocks` in the result of `stat`, whatever the file system's own block size. */
const STAT_BLOCK_BYTES = 512;

/**
 * Throws `Deno.errors.NotFound` if there is no `status` file, and `SyntaxError` for a broken one.
 */
export async function readStatus(folder: string): Promise<UnitRecord> {
  return decodeRecord(await readOwnTextFile(statusPath(folder)));
}

/**
 * Resolves once the record is on the disk. One call at a time for one folder. Throws
 * `Deno.errors.NotFound` if the folder does not exist.
 */
export async function writeStatus(folder: string, record: UnitRecord): Promise<void> {
  const text = encodeRecord(record);
  try {
    await replaceFile(statusPath(folder), text, { mode: FILE_MODE });
  } catch (error) {
    if (!isDiskFull(error) || !await overwrite(statusPath(folder), text)) throw error;
  }
}

/**
 * Writes the first record into a folder that nobody else sees yet. Resolves once it is on the disk,
 * except for the folder's entry.
 */
export function createStatus(folder: string, record: UnitRecord): Promise<void> {
  return writeNewFile(statusPath(folder), encodeRecord(record), { mode: FILE_MODE });
}

function statusPath(folder: string): string {
  return `${folder}/status`;
}

function isDiskFull(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return code === "ENOSPC" || code === "EDQUOT";
}

/**
 * Puts a line into the blocks that the file already has, for a full disk. A machine that dies at
 * this moment may leave a part of it, which is better than losing it for sure. Resolves to whether
 * there was room.
 */
async function overwrite(path: string, line: string): Promise<boolean> {
  try {
    using file = await openOwnFile(path, { write: true });
    const { size, blocks } = await file.stat();
    const bytes = new TextEncoder().encode(line);
    if (bytes.length > Math.max(size, (blocks ?? 0) * STAT_BLOCK_BYTES)) return false;
    // In one write, over all that was there, so that no reader sees a part.
    const padding = new Uint8Array(Math.max(0, size - bytes.length)).fill(BLANK);
    await writeFully(file, new Uint8Array([...bytes.subarray(0, -1), ...padding, NEWLINE]));
    await file.sync();
    return true;
  } catch {
    return false;
  }
}
