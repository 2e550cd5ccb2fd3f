/**
 * A program in one file for machines without Deno: a shell launcher of fixed size, then the Deno
 * runtime and the program's files, each gzipped on its own. The same input gives the same bytes.
 */
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import type { Bundle } from "./bundle.ts";
import { V8_FLAGS } from "./v8_flags.ts";

/** The launcher is padded to this, so that the offsets after it do not depend on its text. */
const LAUNCHER_BYTES = 16_384;
/** Hex digits of SHA-256 in the name of a cache folder. */
const ID_DIGITS = 16;

/**
 * Nothing in the folder that the program is started in, or stored in, may change what it does, and
 * nothing is ever fetched.
 */
const DENO_FLAGS = `-A --no-config --no-lock --no-remote --no-npm --cached-only ${V8_FLAGS}`;

/** A compressed Deno and the hash that names it. */
export interface Runtime {
  id: string;
  gzipped: Uint8Array;
}

export interface Program {
  name: string;
  version: string;
  bundle: Bundle;
}

/** Compresses `bytes` as hard as gzip can. */
export function gzip(bytes: Uint8Array): Uint8Array {
  return gzipSync(bytes, { level: 9 });
}

/** The first digits of the SHA-256 of `parts`, in hex. */
export function contentId(parts: Iterable<Uint8Array | string>): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex").slice(0, ID_DIGITS);
}

/** The complete file. `launcher` is the text of launcher.sh. */
export function selfExtracting(launcher: string, program: Program, runtime: Runtime): Uint8Array[] {
  const files = [...program.bundle.files];
  const pieces = [runtime.gzipped, ...files.map(([, bytes]) => gzip(bytes))];
  let end = LAUNCHER_BYTES;
  const places = pieces.map((piece) => {
    const offset = end + 1; // tail counts from 1
    end += piece.length;
    return `${offset} ${piece.length}`;
  });
  const [runtimeOffset, runtimeLength] = places[0]!.split(" ");
  const values: Record<string, string> = {
    NAME: program.name,
    VERSION: program.version,
    RUNTIME_ID: runtime.id,
    RUNTIME_OFFSET: runtimeOffset!,
    RUNTIME_LENGTH: runtimeLength!,
    APP_ID: contentId(files.flatMap(([name, bytes]) => [name, "\0", bytes])),
    APP_FILES: files.map(([name]) => name).join(" "),
    APP_PIECES: files
      .map(([name], index) => `piece ${places[index + 1]} "$1/$app" ${name} || return 1`)
      .join("\n  "),
    ENTRY: program.bundle.entry,
    DENO_FLAGS,
  };
  const text = launcher.replaceAll(/@([A-Z_]+)@/g, (placeholder, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`The launcher has an unknown name, ${placeholder}`);
    return value;
  });
  const header = new Uint8Array(LAUNCHER_BYTES).fill("\n".charCodeAt(0));
  const encoded = new TextEncoder().encode(text);
  if (encoded.length > LAUNCHER_BYTES) {
    throw new RangeError(`The launcher takes ${encoded.length} bytes, of ${LAUNCHER_BYTES}`);
  }
  header.set(encoded);
  return [header, ...pieces];
}
