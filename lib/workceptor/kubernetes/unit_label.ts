/** The unit's id as a label of its pod. */
import { createHash } from "node:crypto";

const MAX_LABEL_LENGTH = 63;

/** The id itself if it can be a label's value; else a hash of it. */
export function unitLabel(id: string): string {
  const fits = id.length <= MAX_LABEL_LENGTH &&
    /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(id);
  return fits ? id : `sha256-${createHash("sha256").update(id).digest("hex").slice(0, 40)}`;
}
