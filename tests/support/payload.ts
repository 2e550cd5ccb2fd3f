/** Payloads that do not compress and are compared by hash. */
import { createHash } from "node:crypto";

/** `crypto.getRandomValues` gives at most this many bytes per call. */
const RANDOM_CALL_BYTES = 65_536;

/** `size` random bytes. */
export function randomBytes(size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += RANDOM_CALL_BYTES) {
    crypto.getRandomValues(bytes.subarray(at, at + RANDOM_CALL_BYTES));
  }
  return bytes;
}

/** SHA-256 in hex. */
export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** SHA-256 in hex of a file, read in pieces. */
export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  using file = await Deno.open(path);
  const buffer = new Uint8Array(1 << 20);
  for (let count = await file.read(buffer); count !== null; count = await file.read(buffer)) {
    hash.update(buffer.subarray(0, count));
  }
  return hash.digest("hex");
}

/** Writes a file of `size` random bytes; resolves to its SHA-256 in hex. */
export async function writeRandomFile(path: string, size: number): Promise<string> {
  const hash = createHash("sha256");
  using file = await Deno.create(path);
  for (let left = size; left > 0;) {
    const piece = randomBytes(Math.min(left, 1 << 20));
    hash.update(piece);
    for (let at = 0; at < piece.length;) at += await file.write(piece.subarray(at));
    left -= piece.length;
  }
  return hash.digest("hex");
}
