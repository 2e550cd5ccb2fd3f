/** What is measured as ours must be what the sources say. */
import { fileURLToPath } from "node:url";

const BUILD = fileURLToPath(new URL("../tools/build.ts", import.meta.url));

/** Builds `dist/receptor` anew if it is not from the present sources. */
export async function buildOurs(): Promise<void> {
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", BUILD, "--self-extracting", "--if-stale"],
    stdin: "null",
    stderr: "inherit",
  }).output();
  // Stdout is for figures alone.
  await Deno.stderr.write(stdout);
  if (!success) throw new Error("dist/receptor could not be built");
}
