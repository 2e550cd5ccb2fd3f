/** Loads the QUIC core, once in a realm and only when something first needs it. */
import { Core } from "./core.ts";

/** Where the core lies: beside this module, or beside the bundle that it became part of. */
export const coreUrl = new URL("./core.wasm", import.meta.url);

/** Keeps one core for its users; makes a new one only after a breakdown. */
export class CoreLoader {
  #module: Promise<WebAssembly.Module> | undefined;
  #core: Core | undefined;

  constructor(private readonly readModule: () => Promise<WebAssembly.Module>) {}

  /** The running core. Rejects when its file cannot be read; the next call tries again. */
  async load(): Promise<Core> {
    this.#module ??= this.readModule();
    let module;
    try {
      module = await this.#module;
    } catch (error) {
      this.#module = undefined;
      throw error;
    }
    if (!this.#core || this.#core.broken) this.#core = new Core(module);
    return this.#core;
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

/** The core that all endpoints of this realm share. */
export function loadCore(): Promise<Core> {
  return sharedLoader.load();
}
