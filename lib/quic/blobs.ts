/**
 * Lists of byte strings as they cross the core's border: each a 32-bit little-endian length, then
 * bytes (`core/src/blobs.rs`).
 */

/** Copies the strings of `list` out. */
export function readBlobs(list: Uint8Array): Uint8Array[] {
  const view = new DataView(list.buffer, list.byteOffset, list.byteLength);
  const blobs: Uint8Array[] = [];
  for (let at = 0; at < list.length;) {
    const length = view.getUint32(at, true);
    blobs.push(list.slice(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return blobs;
}

export function writeBlobs(blobs: readonly Uint8Array[]): Uint8Array {
  const list = new Uint8Array(blobs.reduce((total, blob) => total + 4 + blob.length, 0));
  const view = new DataView(list.buffer);
  let at = 0;
  for (const blob of blobs) {
    view.setUint32(at, blob.length, true);
    list.set(blob, at + 4);
    at += 4 + blob.length;
  }
  return list;
}
