/** Ensures that what is measured as ours is built from the current sources. */
import { fileURLToPath } from "node:url";

const BUILD = fileURLToPath(new URL("../tools/build.ts", import.meta.url));

/** Rebuilds `dist/receptor` if it is not from the current sources. */
export async function buildOurs(): Promise<void> {
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", BUILD, "--self-extracting", "--if-stale"],
    stdin: "null",
    stderr: "inherit",
  }).output();
  // Stdout is only for figures.
  await Deno.stderr.write(stdout);
  if (!success) throw new Error("dist/receptor could not be built");
}
