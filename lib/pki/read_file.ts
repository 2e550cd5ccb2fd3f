/** Reads the files that a configuration names. */
import { messageOf } from "../base/error_message.ts";

/** Synchronous, for it also runs inside a handshake. Throws an `Error` in the original's words. */
export function readTextFile(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (cause) {
    throw new Error(`open ${path}: ${reasonOf(cause)}`, { cause });
  }
}

/** The operating system's words for what went wrong with a file, as Go has them. */
export function reasonOf(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "no such file or directory";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  if (error instanceof Deno.errors.IsADirectory) return "is a directory";
  return messageOf(error);
}
