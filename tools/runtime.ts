/** The Deno that goes into self-extracting files. */
import { join } from "node:path";
import { say } from "./say.ts";
import { contentId, gzip, type Runtime } from "./self_extracting.ts";
import { writeWhole } from "./write_whole.ts";

/**
 * The Deno that runs this, compressed. The result is kept in the folder `output`, because
 * compressing takes some ten seconds.
 */
export async function presentRuntime(output: string): Promise<Runtime> {
  const binary = await Deno.readFile(Deno.execPath());
  const id = contentId([binary]);
  const kept = join(output, `.deno-${id}.gz`);
  try {
    return { id, gzipped: await Deno.readFile(kept) };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  say(`Compressing Deno ${Deno.version.deno} (once)`);
  const gzipped = gzip(binary);
  await writeWhole(kept, [gzipped]);
  return { id, gzipped };
}
