/** The words of whatever was thrown. */

/** The message of an `Error`, or the text of anything else. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
