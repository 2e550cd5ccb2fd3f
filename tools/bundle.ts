/** Bundles an entry point and everything it imports into a few JavaScript files. */
import { basename, join } from "node:path";
import { restoreEnvironment } from "./restore_environment.ts";

/** What every built program does before anything else. */
export const PROLOGUE = `(${restoreEnvironment})(Deno.env);\n`;

/** How the program finds the QUIC core: in the folder of whichever bundled file contains this. */
const CORE_REFERENCE = 'new URL("./core.wasm", import.meta.url)';
/** Path of the QUIC core within the repository. */
const CORE_WASM = "lib/quic/core.wasm";

export interface Bundle {
  /** Name of the file to run. */
  entry: string;
  /** By file name. Apart from the entry: what it imports only when needed, and shared parts. */
  files: Map<string, Uint8Array<ArrayBuffer>>;
}

/**
 * Bundles `entry`, such as `main.ts`, of the repository at `root`. What the sources import
 * dynamically stays in separate files, so that a start does not pay for it. Throws with the
 * bundler's message if it fails.
 */
export async function bundle(root: string, entry: string): Promise<Bundle> {
  const folder = await Deno.makeTempDir({ prefix: "receptor-bundle-" });
  try {
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["bundle", "--quiet", "--code-splitting", `--outdir=${folder}`, entry],
      cwd: root,
      env: { NO_COLOR: "1" },
      stdout: "null",
    }).output();
    if (!success) {
      throw new Error(`Cannot bundle ${entry}:\n${new TextDecoder().decode(stderr)}`);
    }
    const built: Bundle = { entry: basename(entry, ".ts") + ".js", files: new Map() };
    const names = (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort();
    let loadsCore = false;
    for (const name of names) {
      const code = await Deno.readTextFile(join(folder, name));
      loadsCore ||= code.includes(CORE_REFERENCE);
      const text = name === built.entry ? PROLOGUE + code : code;
      built.files.set(name, new TextEncoder().encode(text));
    }
    if (!built.files.has(built.entry)) throw new Error(`The bundle of ${entry} has only ${names}`);
    if (loadsCore) built.files.set("core.wasm", await Deno.readFile(join(root, CORE_WASM)));
    return built;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
