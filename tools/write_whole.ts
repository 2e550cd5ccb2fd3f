/** Writes files so that nobody sees a partial one. */

/** Readers of `path` see the old file or the new one, never a partial one. */
export async function writeWhole(path: string, pieces: Uint8Array[], mode = 0o644): Promise<void> {
  const temporary = `${path}.${Deno.pid}`;
  try {
    {
      using file = await Deno.create(temporary);
      for (const piece of pieces) {
        for (let at = 0; at < piece.length;) at += await file.write(piece.subarray(at));
      }
    }
    await Deno.chmod(temporary, mode);
    await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw error;
  }
}
