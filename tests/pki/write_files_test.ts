/** Certificates and keys change together or not at all, whichever file fails, and in what way. */
import assert from "node:assert/strict";
import { writeFiles } from "../../lib/pki/write_files.ts";

const NAMES = ["ca.crt", "node.crt", "node.key"];

/** A way in which writing the file at `path` fails; resolves to how to undo it. */
type Fault = (path: string) => Promise<() => Promise<void>>;

const faults: Record<string, Fault> = {
  "is a folder": async (path) => {
    await Deno.remove(path).catch(() => {});
    await Deno.mkdir(path);
    return () => Deno.remove(path);
  },
  // Only the rename fails then, after others have been renamed.
  "is immutable": async (path) => {
    await Deno.writeTextFile(path, `old ${path}`);
    await chattr("+i", path);
    return () => chattr("-i", path);
  },
};

async function chattr(change: string, path: string): Promise<void> {
  const { success } = await new Deno.Command("chattr", { args: [change, path] }).output();
  if (!success) throw new Error(`chattr ${change} ${path} failed`);
}

/** File systems in memory have no such attribute, and it takes root. */
async function hasImmutableFiles(): Promise<boolean> {
  const path = await Deno.makeTempFile();
  try {
    await chattr("+i", path);
    await chattr("-i", path);
    return true;
  } catch {
    return false;
  } finally {
    await Deno.remove(path);
  }
}

async function contents(folder: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const { name, isFile } of Deno.readDir(folder)) {
    if (isFile) found[name] = await Deno.readTextFile(`${folder}/${name}`);
  }
  return found;
}

const immutable = await hasImmutableFiles();

for (const [what, fault] of Object.entries(faults)) {
  for (const failing of NAMES) {
    for (const existing of [[], NAMES, NAMES.slice(0, 1)]) {
      Deno.test({
        name: `if ${failing} ${what}, with [${existing}] there before, all files stay as they are`,
        ignore: what === "is immutable" && !immutable,
        async fn() {
          const folder = await Deno.makeTempDir();
          for (const name of existing) await Deno.writeTextFile(`${folder}/${name}`, `old ${name}`);
          const undo = await fault(`${folder}/${failing}`);
          const before = await contents(folder);
          try {
            await assert.rejects(
              writeFiles(NAMES.map((name) => ({ path: `${folder}/${name}`, contents: "new" }))),
              new RegExp(`^Error: open ${folder}/${failing}: `),
            );
            assert.deepEqual(await contents(folder), before);
          } finally {
            await undo();
            await Deno.remove(folder, { recursive: true });
          }
        },
      });
    }
  }
}

Deno.test("all files are replaced, and nothing else is left in the folder", async () => {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/ca.crt`, "old");
  await writeFiles(NAMES.map((name) => ({ path: `${folder}/${name}`, contents: `new ${name}` })));
  assert.deepEqual(
    await contents(folder),
    Object.fromEntries(NAMES.map((name) => [name, `new ${name}`])),
  );
  await Deno.remove(folder, { recursive: true });
});
