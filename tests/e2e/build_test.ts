/** The self-extracting file, made of a small program, and the built files of `deno task build`. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { PROLOGUE } from "../../tools/bundle.ts";
import { presentRuntime } from "../../tools/runtime.ts";
import { gzip, type Runtime, selfExtracting } from "../../tools/self_extracting.ts";
import { runsFromSource } from "../support/peers.ts";
import { TempFolder } from "../support/temp_folder.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const IS_ROOT = Deno.uid() === 0;
/** Debian's `nobody`; any other user would do. */
const NOBODY = 65534;

/** What the sample program says about itself. */
interface Said {
  args: string[];
  pid: number;
  cwd: string;
  env: Record<string, string>;
  data: string;
}

const SAMPLE = `
const terminated = new Promise((resolve) => {
  if (Deno.args[0] === "wait") Deno.addSignalListener("SIGTERM", resolve);
});
const data = await Deno.readTextFile(new URL("./data.txt", import.meta.url));
const env = Deno.env.toObject();
console.log(JSON.stringify({ args: Deno.args, pid: Deno.pid, cwd: Deno.cwd(), env, data }));
if (Deno.args[0] === "cat") await Deno.stdin.readable.pipeTo(Deno.stdout.writable);
if (Deno.args[0] === "wait") {
  await terminated;
  Deno.exit(42);
}
`;

const encode = (text: string) => new TextEncoder().encode(text);

/** Stands in for Deno where only the launcher is tested: works as well, and unpacks instantly. */
const SMALL_RUNTIME = `#!/bin/sh
if [ "$1" = --version ]; then exit 0; fi
while [ "\${1##*/}" != main.js ]; do shift; done
printf '{"data":"%s","args":["%s"]}\n' "$(cat "\${1%/*}/data.txt")" "$2"
`;

async function buildSample(
  folder: TempFolder,
  name: string,
  runtime: Runtime,
): Promise<string> {
  const launcher = await Deno.readTextFile(`${ROOT}tools/launcher.sh`);
  const files = new Map([
    ["main.js", encode(PROLOGUE + SAMPLE)],
    ["data.txt", encode("here")],
  ]);
  const bundle = { entry: "main.js", files };
  const pieces = selfExtracting(launcher, { name, version: "1.2.3", bundle }, runtime);
  const path = folder.join(name);
  using file = await Deno.create(path);
  for (const piece of pieces) {
    for (let at = 0; at < piece.length;) at += await file.write(piece.subarray(at));
  }
  await Deno.chmod(path, 0o755);
  await Deno.chmod(folder.path, 0o755);
  return path;
}

interface Run {
  args?: string[];
  env?: Record<string, string>;
  cwd?: string;
  uid?: number;
  stdin?: string;
}

/** Runs `path` with nothing but a minimal PATH and `env` in its environment. */
async function run(path: string, options: Run = {}) {
  const { args = [], env = {}, cwd = "/", uid, stdin } = options;
  const child = new Deno.Command(path, {
    args,
    cwd,
    clearEnv: true,
    env: { PATH: "/usr/bin:/bin", ...env },
    stdin: stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
    ...(uid === undefined ? {} : { uid, gid: uid }),
  }).spawn();
  if (stdin !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(stdin));
    await writer.close();
  }
  const { pid } = child;
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { pid, code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

function said(result: { stdout: string; stderr: string }): Said {
  assert.notEqual(result.stdout, "", result.stderr);
  return JSON.parse(result.stdout.split("\n")[0]!) as Said;
}

async function realRuntime(): Promise<Runtime> {
  await Deno.mkdir(`${ROOT}dist`, { recursive: true });
  return await presentRuntime(`${ROOT}dist`);
}

function smallRuntime(): Promise<Runtime> {
  return Promise.resolve({ id: "small", gzipped: gzip(encode(SMALL_RUNTIME)) });
}

/** A test over a built sample and an empty cache folder. */
function sampleTest(
  name: string,
  runtime: () => Promise<Runtime>,
  body: (sample: string, cache: string, folder: TempFolder) => Promise<void>,
  ignore = false,
): void {
  Deno.test({
    name: `a self-extracting file ${name}`,
    ignore,
    async fn() {
      await using folder = await TempFolder.create();
      await body(
        await buildSample(folder, "sample", await runtime()),
        folder.join("cache"),
        folder,
      );
    },
  });
}

/** The one folder in `cache` whose name starts with `prefix`. */
function unpacked(cache: string, prefix: string): string {
  const names = [...Deno.readDirSync(cache)].map(({ name }) => name);
  const matching = names.filter((name) => name.startsWith(prefix));
  assert.equal(matching.length, 1, `${names}`);
  return `${cache}/${matching[0]}`;
}

sampleTest(
  "is the program: arguments, folder, stdin, process",
  realRuntime,
  async (sample, cache) => {
    const env = { RECEPTOR_CACHE: cache };
    const result = await run(sample, {
      args: ["cat", "a b", "$x"],
      env,
      stdin: "in\nput",
      cwd: "/usr",
    });
    assert.equal(result.code, 0, result.stderr);
    assert.equal(result.stderr, "");
    const { args, pid, cwd, data } = said(result);
    assert.deepEqual(args, ["cat", "a b", "$x"]);
    assert.equal(pid, result.pid);
    assert.equal(cwd, "/usr");
    assert.equal(data, "here");
    assert.equal(result.stdout.slice(result.stdout.indexOf("\n") + 1), "in\nput");
  },
);

sampleTest("gets signals and gives its own exit code", realRuntime, async (sample, cache) => {
  const child = new Deno.Command(sample, {
    args: ["wait"],
    env: { RECEPTOR_CACHE: cache },
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  child.kill("SIGTERM");
  assert.equal((await child.status).code, 42);
  while (!(await reader.read()).done);
});

sampleTest("leaves the caller's environment to the program", realRuntime, async (sample, cache) => {
  const required = { PATH: "/usr/bin:/bin", RECEPTOR_CACHE: cache };
  const environments: [what: string, more: Record<string, string>][] = [
    ["nothing else", {}],
    ["what the launcher sets", { DENO_DIR: "/own", DENO_NO_UPDATE_CHECK: "0" }],
    ["names that no shell takes", { "BAD.NAME": "1", "BASH_FUNC_f%%": "() { :;\n}", "é": "ü" }],
    ["what shells set themselves", { IFS: ":", PWD: "/no/such", OLDPWD: "", PS1: "", _: "x" }],
    ["the launcher's own variables", { name: "x", cache: "y", pieces: "z", number: "7" }],
    ["odd values", { EMPTY: "", LINES: "\na\n\nb\n", EQUALS: "=a=b", BLANK: " * ' \" $x " }],
    ["much", Object.fromEntries(Array.from({ length: 5 }, (_, i) => [`B${i}`, "x".repeat(9e4)]))],
  ];
  for (const [what, more] of environments) {
    const { env } = said(await run(sample, { env: { ...required, ...more } }));
    assert.deepEqual(env, { ...required, ...more }, what);
  }
});

sampleTest("may have its first start several times at once", realRuntime, async (sample, cache) => {
  const runs = Array.from(
    { length: 4 },
    (_, index) => run(sample, { args: [`${index}`], env: { RECEPTOR_CACHE: cache } }),
  );
  for (const [index, result] of (await Promise.all(runs)).entries()) {
    assert.deepEqual(said(result).args, [`${index}`]);
  }
  const left = [...Deno.readDirSync(unpacked(cache, "deno-"))].map(({ name }) => name).sort();
  assert.deepEqual(left, ["deno", "sample", "stamp"]);
});

sampleTest("unpacks again what was damaged or removed", smallRuntime, async (sample, cache) => {
  const env = { RECEPTOR_CACHE: cache };
  await run(sample, { env });
  const [app, runtime] = [unpacked(cache, "sample-"), unpacked(cache, "deno-")];
  const damage: [string, () => void][] = [
    ["a truncated program", () => Deno.truncateSync(`${app}/main.js`, 10)],
    ["an emptied file", () => Deno.truncateSync(`${app}/data.txt`, 0)],
    ["a truncated runtime", () => Deno.truncateSync(`${runtime}/deno`, 5)],
    ["a removed file", () => Deno.removeSync(`${app}/data.txt`)],
    ["a removed runtime", () => Deno.removeSync(`${runtime}/deno`)],
    ["a removed link", () => Deno.removeSync(`${runtime}/sample`)],
    ["a removed stamp", () => Deno.removeSync(`${app}/stamp`)],
    ["a removed folder", () => Deno.removeSync(app, { recursive: true })],
  ];
  for (const [what, apply] of damage) {
    // Some shells compare times by the second, so the stamps must be clearly older than the damage.
    for (const folder of [app, runtime]) Deno.utimeSync(`${folder}/stamp`, 978307200, 978307200);
    apply();
    assert.equal(said(await run(sample, { env })).data, "here", what);
  }
});

sampleTest(
  "that was cut off says so, and leaves nothing behind",
  smallRuntime,
  async (sample, cache) => {
    await Deno.truncate(sample, 16_384 + 60);
    const result = await run(sample, { env: { RECEPTOR_CACHE: cache } });
    assert.equal(result.code, 1);
    assert.equal(result.stdout, "");
    assert.match(result.stderr, /sample: found no folder to unpack into/);
    assert.match(result.stderr, /damaged or incomplete/);
    assert.deepEqual([...Deno.readDirSync(unpacked(cache, "deno-"))], []);
  },
);

sampleTest("may be called by a relative path", smallRuntime, async (sample, cache, folder) => {
  const path = `./${sample.slice(folder.path.length + 1)}`;
  const result = await run("/bin/sh", {
    args: ["-c", `${path} argument`],
    cwd: folder.path,
    env: { RECEPTOR_CACHE: cache },
  });
  assert.deepEqual(said(result).args, ["argument"]);
});

sampleTest("says when there is no folder to unpack into", smallRuntime, async (sample) => {
  const result = await run(sample, { env: { RECEPTOR_CACHE: "/proc/none" } });
  assert.equal(result.code, 1);
  assert.match(result.stderr, /RECEPTOR_CACHE can name one\.\n\s+\/proc\/none: cannot be created/);
});

sampleTest(
  "shares its runtime with the other program",
  smallRuntime,
  async (sample, cache, folder) => {
    const env = { RECEPTOR_CACHE: cache };
    await run(sample, { env });
    const other = await buildSample(folder, "other", await smallRuntime());
    // Without the bytes of its own runtime it can only start with the one that is already there.
    const launcher = (await Deno.readFile(other)).subarray(0, 16_384);
    const pieces = new TextDecoder().decode(launcher).match(/piece \d+ \d+ "\$1\/\$runtime"/)!;
    {
      using file = await Deno.open(other, { write: true });
      const [, offset] = pieces[0].split(" ");
      await file.seek(Number(offset) - 1, Deno.SeekMode.Start);
      await file.write(new Uint8Array(60));
    }
    assert.equal(said(await run(other, { env })).data, "here");
  },
);

sampleTest(
  "runs as another user, who has no home",
  smallRuntime,
  async (sample, _cache, folder) => {
    await Deno.mkdir(folder.join("tmp"));
    await Deno.chmod(folder.join("tmp"), 0o1777);
    const env = { HOME: "/nonexistent", TMPDIR: folder.join("tmp") };
    assert.equal(said(await run(sample, { uid: NOBODY, env })).data, "here");
    const [cache] = [...Deno.readDirSync(folder.join("tmp"))];
    assert.equal(cache!.name, `receptor-${NOBODY}`);
    const { mode, uid } = await Deno.stat(`${folder.join("tmp")}/${cache!.name}`);
    assert.equal(mode! & 0o777, 0o700);
    assert.equal(uid, NOBODY);
  },
  !IS_ROOT,
);

sampleTest("does not trust a cache folder of another user", smallRuntime, async (sample, cache) => {
  await Deno.mkdir(cache);
  await Deno.chown(cache, NOBODY, NOBODY);
  const result = await run(sample, { env: { RECEPTOR_CACHE: cache } });
  assert.equal(result.code, 1);
  assert.match(result.stderr, /not ours alone/);
  assert.deepEqual([...Deno.readDirSync(cache)], []);
}, !IS_ROOT);

sampleTest(
  "does not trust what another user put into the cache folder",
  smallRuntime,
  async (sample, cache) => {
    const env = { RECEPTOR_CACHE: cache };
    await run(sample, { env });
    const app = unpacked(cache, "sample-");
    await Deno.writeTextFile(`${app}/main.js`, "console.log('planted')");
    await Deno.utime(`${app}/main.js`, 978307200, 978307200);
    await Deno.chown(`${app}/main.js`, NOBODY, NOBODY);
    assert.equal(said(await run(sample, { env })).data, "here");
  },
  !IS_ROOT,
);

sampleTest(
  "starts nothing but the runtime that it unpacked",
  smallRuntime,
  async (sample, cache) => {
    const env = { RECEPTOR_CACHE: cache };
    await run(sample, { env });
    const runtime = unpacked(cache, "deno-");
    const planted = `${cache}/planted`;
    await Deno.writeTextFile(planted, "#!/bin/sh\necho planted\n", { mode: 0o755 });
    const plant: [string, () => void][] = [
      ["a link to elsewhere", () => Deno.symlinkSync(planted, `${runtime}/sample`)],
      ["a file in the place of the link", () => Deno.copyFileSync(planted, `${runtime}/sample`)],
    ];
    for (const [what, apply] of plant) {
      Deno.removeSync(`${runtime}/sample`);
      apply();
      assert.equal(said(await run(sample, { env })).data, "here", what);
    }
  },
);

sampleTest(
  "uses no cache folder that everybody may write, or that is in such a folder",
  smallRuntime,
  async (sample, cache, folder) => {
    const env = { RECEPTOR_CACHE: `${cache}/below` };
    await Deno.mkdir(cache);
    assert.equal(said(await run(sample, { env })).data, "here");
    const open: [string, number][] = [
      [cache, 0o777],
      [`${cache}/below`, 0o777],
      [`${cache}/below`, 0o1777],
      [unpacked(`${cache}/below`, "deno-"), 0o777],
      [unpacked(`${cache}/below`, "sample-"), 0o1777],
    ];
    for (const [path, mode] of open) {
      await Deno.chmod(path, mode);
      const result = await run(sample, { env });
      assert.equal(result.code, 1, `${path} ${mode.toString(8)}`);
      assert.match(
        result.stderr,
        /below: it, or a folder above it, is another user's or may be written by everybody/,
      );
      await Deno.chmod(path, 0o700);
    }
    // A shared folder above it, and a link of ours on the way, are fine.
    await Deno.chmod(cache, 0o1777);
    await Deno.symlink(cache, folder.join("link"));
    const through = { RECEPTOR_CACHE: `${folder.join("link")}/below` };
    assert.equal(said(await run(sample, { env: through })).data, "here");
  },
);

sampleTest(
  "uses no cache folder in another user's folder",
  smallRuntime,
  async (sample, cache) => {
    await Deno.mkdir(cache);
    await Deno.mkdir(`${cache}/ours`);
    await Deno.chown(cache, NOBODY, NOBODY);
    const result = await run(sample, { env: { RECEPTOR_CACHE: `${cache}/ours` } });
    assert.equal(result.code, 1);
    assert.match(result.stderr, /ours: it, or a folder above it, is another user's/);
  },
  !IS_ROOT,
);

Deno.test("the same input builds the same bytes", async () => {
  await using folder = await TempFolder.create();
  await using again = await TempFolder.create();
  const runtime = await smallRuntime();
  const one = await buildSample(folder, "sample", runtime);
  const two = await buildSample(again, "sample", runtime);
  assert.deepEqual(await Deno.readFile(one), await Deno.readFile(two));
});

for (const name of ["receptor", "receptorctl"]) {
  Deno.test({
    name: `dist/${name} runs in an empty environment without Deno`,
    ignore: runsFromSource(),
    async fn() {
      await using folder = await TempFolder.create();
      const env = { RECEPTOR_CACHE: folder.join("cache"), HOME: folder.path };
      const result = await run(`${ROOT}dist/${name}`, { args: ["--help"], env });
      assert.equal(result.code, 0, result.stderr);
      assert.match(result.stdout, /receptor/i);
    },
  });
}
