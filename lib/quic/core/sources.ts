/**
 * Ties `core.wasm` to the sources that it was built from: records their hashes after a build, or
 * checks that they are still the recorded ones, which needs no Rust.
 * Usage: deno run --allow-read [--allow-write] sources.ts check|record
 */
import { createHash } from "node:crypto";

const crate = new URL("./", import.meta.url);
const record = new URL("../core.wasm.sha256", import.meta.url);
/** The parts of the crate that the result depends on. Folders end in a slash. */
const SOURCES = ["Cargo.lock", "Cargo.toml", "build.sh", "shims/", "src/"];
const RESULTS = ["../core.wasm", "../../../tests/quic/hostile_core.wasm"];

/** Paths of files under `path`, relative to the crate, in the order of their code units. */
function filesOf(path: string): string[] {
  if (!path.endsWith("/")) return [path];
  return [...Deno.readDirSync(new URL(path, crate))]
    .filter((entry) => entry.name !== "target" && !entry.name.endsWith("_tests.rs"))
    .flatMap((entry) => filesOf(path + entry.name + (entry.isDirectory ? "/" : "")))
    .sort();
}

/** A line for each file as sha256sum prints it. */
function hashes(): string {
  return [...SOURCES.flatMap(filesOf), ...RESULTS].map((path) => {
    const bytes = Deno.readFileSync(new URL(path, crate));
    return `${createHash("sha256").update(bytes).digest("hex")}  ${path}\n`;
  }).join("");
}

/** The paths whose lines differ. */
function differences(recorded: string, actual: string): string[] {
  const [before, after] = [recorded, actual].map((text) => new Set(text.trimEnd().split("\n")));
  const lines = [...before!.symmetricDifference(after!)];
  return [...new Set(lines.map((line) => line.split("  ")[1] ?? line))].sort();
}

switch (Deno.args[0]) {
  case "record":
    Deno.writeTextFileSync(record, hashes());
    break;
  case "check": {
    const changed = differences(Deno.readTextFileSync(record), hashes());
    if (changed.length > 0) {
      const text = `core.wasm is not the build of these sources: ${changed.join(", ")} changed. ` +
        "Build it again with: deno task quic:build\n";
      Deno.stderr.writeSync(new TextEncoder().encode(text));
      Deno.exit(1);
    }
    break;
  }
  default:
    throw new TypeError("usage: sources.ts check|record");
}
