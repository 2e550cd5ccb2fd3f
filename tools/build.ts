/**
 * Builds `dist/receptor` and `dist/receptorctl`, each one file for a Linux machine without Deno:
 * with `deno compile` if its runtime is available (over the network, or from DENORT_BIN), else as a
 * self-extracting file made from the Deno that runs this. Both behave the same.
 */
import { parseArgs } from "node:util";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Bundle, bundle } from "./bundle.ts";
import { presentRuntime } from "./runtime.ts";
import { contentId, selfExtracting } from "./self_extracting.ts";
import { say } from "./say.ts";
import { V8_FLAGS } from "./v8_flags.ts";
import { writeWhole } from "./write_whole.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const PROGRAMS = [["receptor", "main.ts"], ["receptorctl", "ctl.ts"]] as const;
/** What the built files depend on, apart from the Deno that builds them. */
const INPUTS = ["main.ts", "ctl.ts", "deno.json", "deno.lock", "lib", "tools"];
/** How long to wait for the runtime's download, unless `--compile` insists. */
const DOWNLOAD_PATIENCE_MS = 20_000;

const HELP = `Usage: deno task build [options]

  --compile          insist on deno compile, however long its download takes
  --self-extracting  make self-extracting files without trying deno compile
  --if-stale         do nothing when dist/ was built from the present sources
  --output=<folder>  instead of dist
`;

type Method = "compile" | "self-extracting";

async function* filesUnder(path: string): AsyncGenerator<string> {
  const info = await Deno.stat(path).catch(() => undefined);
  if (info?.isFile) yield path;
  if (!info?.isDirectory) return;
  const names = (await Array.fromAsync(Deno.readDir(path))).map(({ name }) => name).sort();
  // The core's Rust sources reach the built files only as core.wasm.
  for (const name of names) if (name !== "target") yield* filesUnder(join(path, name));
}

/** Identifies the sources, the Deno and the method of a build. */
async function fingerprint(methods: string): Promise<string> {
  const parts: (Uint8Array | string)[] = [methods, Deno.version.deno, Deno.build.target];
  for (const input of INPUTS) {
    for await (const path of filesUnder(join(ROOT, input))) {
      parts.push(path.slice(ROOT.length), "\0", await Deno.readFile(path));
    }
  }
  return contentId(parts);
}

/** Compiles a bundle; returns `undefined` on success, else why it failed. */
async function compile(
  program: Bundle,
  output: string,
  patienceMs: number | undefined,
): Promise<string | undefined> {
  const folder = await Deno.makeTempDir({ prefix: "receptor-compile-" });
  try {
    for (const [name, bytes] of program.files) await Deno.writeFile(join(folder, name), bytes);
    const includes = [...program.files.keys()].filter((name) => name !== program.entry);
    const { success, stderr, signal } = await new Deno.Command(Deno.execPath(), {
      args: [
        "compile",
        "--quiet",
        "--no-check",
        "--no-config",
        "--allow-all",
        V8_FLAGS,
        ...includes.map((name) => `--include=${name}`),
        `--output=${join(folder, "program")}`,
        program.entry,
      ],
      cwd: folder,
      env: { NO_COLOR: "1" },
      stdout: "null",
      ...(patienceMs === undefined ? {} : { signal: AbortSignal.timeout(patienceMs) }),
    }).output();
    if (signal !== null) return `no runtime after ${patienceMs} ms`;
    if (!success) {
      const lines = new TextDecoder().decode(stderr).split("\n").map((line) => line.trim());
      return lines.find((line) => /^1: /.test(line))?.slice(3) ?? lines.join(" ").trim();
    }
    await writeWhole(output, [await Deno.readFile(join(folder, "program"))], 0o755);
    return undefined;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function build(output: string, methods: readonly Method[], insist: boolean): Promise<void> {
  const { version } = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.json"))) as {
    version: string;
  };
  const bundles: Bundle[] = [];
  for (const [, entry] of PROGRAMS) bundles.push(await bundle(ROOT, entry));
  let method: Method = methods[0]!;
  for (const [index, [name]] of PROGRAMS.entries()) {
    const path = join(output, name);
    if (method === "compile") {
      const patience = insist || Deno.env.has("DENORT_BIN") ? undefined : DOWNLOAD_PATIENCE_MS;
      const problem = await compile(bundles[index]!, path, patience);
      if (problem !== undefined && insist) throw new Error(`deno compile failed: ${problem}`);
      if (problem !== undefined) {
        say(`No deno compile here (${problem}): making self-extracting files`);
        method = "self-extracting";
      }
    }
    if (method === "self-extracting") {
      const launcher = await Deno.readTextFile(join(ROOT, "tools/launcher.sh"));
      const program = { name, version, bundle: bundles[index]! };
      const pieces = selfExtracting(launcher, program, await presentRuntime(output));
      await writeWhole(path, pieces, 0o755);
    }
    const { size } = await Deno.stat(path);
    say(`${path}: ${(size / 1e6).toFixed(1)} MB, ${method}`);
  }
}

const { values: options } = parseArgs({
  args: Deno.args,
  options: {
    compile: { type: "boolean", default: false },
    "self-extracting": { type: "boolean", default: false },
    "if-stale": { type: "boolean", default: false },
    output: { type: "string", default: join(ROOT, "dist") },
    help: { type: "boolean", default: false },
  },
});
if (options.help) {
  say(HELP);
  Deno.exit(0);
}
const methods: Method[] = options["self-extracting"]
  ? ["self-extracting"]
  : ["compile", "self-extracting"];
const output = options.output;
const stamp = join(output, ".built-from");
const inputs = await fingerprint(methods[0]! + (options.compile ? "!" : ""));
const present = await Deno.readTextFile(stamp).catch(() => "");
const complete = await Promise.all(PROGRAMS.map(([name]) => Deno.stat(join(output, name)))).then(
  () => true,
  () => false,
);
if (!(options["if-stale"] && complete && present === inputs)) {
  await Deno.mkdir(output, { recursive: true });
  await build(output, methods, options.compile);
  await writeWhole(stamp, [new TextEncoder().encode(inputs)]);
}
