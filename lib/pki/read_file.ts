/** Reads the files that a configuration names. */
import { fileReasonOf } from "../base/error_message.ts";

/**
 * Synchronous, since it also runs inside a handshake. Throws an `Error` in the original's words.
 */
export function readTextFile(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (cause) {
    throw new Error(`open ${path}: ${fileReasonOf(cause)}`, { cause });
  }
}
