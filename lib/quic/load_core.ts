/** Loads the code of the QUIC core, once per realm and only when something first needs it. */

/** Where the core is: beside this module, or beside the bundle that includes it. */
export const coreUrl = new URL("./core.wasm", import.meta.url);

/** Calls `readModule` once and shares what it returned. */
export class CoreLoader {
  #module: Promise<WebAssembly.Module> | undefined;

  constructor(private readonly readModule: () => Promise<WebAssembly.Module>) {}

  /** The core's code. Rejects if it cannot be read; the next call tries again. */
  load(): Promise<WebAssembly.Module> {
    return this.#module ??= this.readModule().catch((error) => {
      this.#module = undefined;
      throw error;
    });
  }
}

async function readCoreModule(): Promise<WebAssembly.Module> {
  let bytes;
  try {
    bytes = await Deno.readFile(coreUrl);
  } catch (cause) {
    throw new Error(`the QUIC core cannot be read from ${coreUrl}`, { cause });
  }
  return await WebAssembly.compile(bytes);
}

const sharedLoader = new CoreLoader(readCoreModule);

/** The code of the core, compiled; each endpoint runs an instance of its own. */
export function loadCore(): Promise<WebAssembly.Module> {
  return sharedLoader.load();
}
