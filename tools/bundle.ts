/** Bundles an entry point and everything it imports into one JavaScript file. */
import { join } from "node:path";

/**
 * The launcher sets these so that Deno keeps its caches in our folder and calls nobody; jobs and
 * other children shall see the environment that the user gave. Runs before any module body.
 */
export const restoreEnvironment = `for (const name of ["DENO_DIR", "DENO_NO_UPDATE_CHECK"]) {
  const outer = Deno.env.get("RECEPTOR_OUTER_" + name);
  Deno.env.delete("RECEPTOR_OUTER_" + name);
  if (outer === undefined) Deno.env.delete(name);
  else Deno.env.set(name, outer);
}
`;

/** Path of the QUIC core within the repository; the bundle loads it from its own folder. */
const CORE_WASM = "lib/quic/core.wasm";

export interface Bundle {
  /** By file name; `main.js` is the entry point. */
  files: Map<string, Uint8Array<ArrayBuffer>>;
}

/** Bundles `entry` of the repository at `root`. Throws with the bundler's words when it fails. */
export async function bundle(root: string, entry: string): Promise<Bundle> {
  const folder = await Deno.makeTempDir({ prefix: "receptor-bundle-" });
  try {
    const output = join(folder, "main.js");
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["bundle", "--quiet", "--keep-names", "--output", output, entry],
      cwd: root,
      env: { NO_COLOR: "1" },
      stdout: "null",
    }).output();
    if (!success) {
      throw new Error(`Cannot bundle ${entry}:\n${new TextDecoder().decode(stderr)}`);
    }
    const code = await Deno.readTextFile(output);
    const files = new Map([["main.js", new TextEncoder().encode(restoreEnvironment + code)]]);
    if (code.includes("core.wasm")) {
      files.set("core.wasm", await Deno.readFile(join(root, CORE_WASM)));
    }
    return { files };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
