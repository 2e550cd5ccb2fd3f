/**
 * How a command starts: what cannot be run is reported in the original's words, the rest is run as
 * is.
 */
import assert from "node:assert/strict";
import {
  completed,
  eventually,
  readText,
  startWorkceptor,
  submit,
  submitScript,
  temporaryFolder,
} from "../_harness.ts";

/** The first bytes of a program for a machine that nobody runs this on (s390x, big-endian). */
function foreignProgram(): Uint8Array {
  const head = new Uint8Array(128);
  head.set([0x7f, 0x45, 0x4c, 0x46, 2, 2, 1]);
  const view = new DataView(head.buffer);
  view.setUint16(16, 2);
  view.setUint16(18, 22);
  return head;
}

Deno.test("a file that cannot be run fails in Go's words, with no output, and none of it is run", async (t) => {
  await using folder = await temporaryFolder();
  const { path } = folder;
  await Deno.writeTextFile(`${path}/precious`, "");
  const encode = (text: string) => new TextEncoder().encode(text);
  // As printed by a Go node (1.6.9).
  const cases: [name: string, content: Uint8Array, reason: string][] = [
    ["text", encode(`rm '${path}/precious'\n`), "exec format error"],
    ["empty", new Uint8Array(), "exec format error"],
    ["foreign", foreignProgram(), "exec format error"],
    ["short", encode("\x7fELF"), "exec format error"],
    ["nobody", encode("#!\nrm x\n"), "exec format error"],
    ["lost", encode("#!/no/such/interpreter -x\n"), "no such file or directory"],
    ["folder", encode("#! /tmp\n"), "permission denied"],
    ["plain", encode(`#!${path}/precious\n`), "permission denied"],
    ["second", encode(`#!${path}/lost\n`), "no such file or directory"],
  ];
  for (const [name, content] of cases) {
    await Deno.writeFile(`${path}/${name}`, content, { mode: 0o755 });
  }
  const types = Object.fromEntries(cases.map(([name]) => [name, { command: `${path}/${name}` }]));
  await using work = await startWorkceptor(`${path}/data`, { types });
  for (const [workType, , reason] of cases) {
    await t.step(`${workType}: ${reason}`, async () => {
      const id = await submit(work, { workType });
      assert.equal(await readText(work, id), "");
      const { StateName, Detail } = await work.status(id);
      assert.deepEqual([StateName, Detail], ["Failed", `fork/exec ${path}/${workType}: ${reason}`]);
    });
  }
  assert.ok((await Deno.stat(`${path}/precious`)).isFile);
});

Deno.test("scripts are run by their interpreter, even if that is a script", async () => {
  await using folder = await temporaryFolder();
  const { path } = folder;
  await Deno.writeTextFile(`${path}/inner`, '#!/bin/sh\necho "inner $1"\n', { mode: 0o755 });
  await Deno.writeTextFile(`${path}/outer`, `#! ${path}/inner  one two \nx\n`, { mode: 0o755 });
  await Deno.writeTextFile(`${path}/bare`, "#!/bin/cat", { mode: 0o755 });
  const types = { outer: { command: `${path}/outer` }, bare: { command: `${path}/bare` } };
  await using work = await startWorkceptor(`${path}/data`, { types });
  assert.equal(await readText(work, await submit(work, { workType: "outer" })), "inner one two\n");
  assert.equal(await readText(work, await submit(work, { workType: "bare" })), "#!/bin/cat");
});

Deno.test("a file that is open for writing is not run, and the reason is reported", async () => {
  await using folder = await temporaryFolder();
  const command = `${folder.path}/busy`;
  await Deno.copyFile("/bin/true", command);
  await using work = await startWorkceptor(`${folder.path}/data`, { types: { busy: { command } } });
  using _writer = await Deno.open(command, { write: true });
  const id = await submit(work, { workType: "busy" });
  const { Detail } = await eventually(async () => {
    const status = await work.status(id);
    return status.StateName === "Failed" && status;
  });
  assert.equal(Detail, `fork/exec ${command}: text file busy`);
  assert.equal(await readText(work, id), "");
});

const NAMES = [
  "BAD.NAME",
  "BASH_FUNC_f%%",
  "IFS",
  "PPID",
  "OPTIND",
  "PWD",
  "OLDPWD",
  "PS1",
  "status",
];

Deno.test("a job has the daemon's environment, to the letter", async (t) => {
  const before = Deno.env.toObject();
  const restore = () => {
    for (const name of NAMES) {
      if (before[name] === undefined) Deno.env.delete(name);
      else Deno.env.set(name, before[name]);
    }
  };
  const cases: [what: string, entries: Record<string, string>][] = [
    ["as it is", {}],
    ["names that no shell takes", { "BAD.NAME": "1 'x' $y", "BASH_FUNC_f%%": "() { :; }" }],
    ["variables that a shell sets itself", { IFS: ":", PPID: "5", OPTIND: "7", PS1: "> " }],
    ["a working directory that is another", { PWD: "/else where", OLDPWD: "/no/such" }],
    ["names of a script's variables", { status: "s", folder: "f", self: "x", boot: "b" }],
  ];
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path, {
    types: { env: { command: "env", params: "-0" } },
  });
  try {
    for (const [what, entries] of cases) {
      await t.step(what, async () => {
        restore();
        for (const name of NAMES) Deno.env.delete(name);
        for (const [name, value] of Object.entries(entries)) Deno.env.set(name, value);
        // If sh is bash, this variable is set for each command.
        const { _, ...expected } = Deno.env.toObject();
        const output = await readText(work, await submit(work, { workType: "env" }));
        const found = output.split("\0").filter(Boolean)
          .map((line) => line.split(/=(.*)/s)).filter(([name]) => name !== "_");
        assert.deepEqual(Object.fromEntries(found.map(([name, value]) => [name, value])), {
          ...expected,
        });
      });
    }
  } finally {
    for (const name of ["folder", "self", "boot"]) Deno.env.delete(name);
    restore();
  }
});

/** Mounting takes a privilege that not every root has. */
function canMount(): boolean {
  try {
    return new Deno.Command("unshare", { args: ["-m", "true"], stderr: "null" }).outputSync()
      .success;
  } catch {
    return false;
  }
}

/** A file system of 2 MB. */
async function smallDisk(): Promise<AsyncDisposable & { path: string }> {
  const folder = await temporaryFolder();
  const { path } = folder;
  const run = async (command: string, args: string[]) => {
    const { success, stderr } = await new Deno.Command(command, { args }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
  };
  await run("mount", ["-t", "tmpfs", "-o", "size=2m", "none", path]);
  return {
    path,
    async [Symbol.asyncDispose]() {
      await run("umount", ["-l", path]);
      await folder[Symbol.asyncDispose]();
    },
  };
}

for (const [script, detail] of [["exit 7", "exit status 7"], ["kill -9 $$", "signal: killed"]]) {
  Deno.test({
    name: `a job's end is known after a restart although the disk was full: ${detail}`,
    ignore: !canMount(),
    async fn() {
      await using disk = await smallDisk();
      const { path } = disk;
      const fill = `dd if=/dev/zero of='${path}/fill' bs=4096 count=1024 2>/dev/null; `;
      let id;
      {
        await using work = await startWorkceptor(path);
        id = await submitScript(work, fill + script);
        assert.equal((await completed(work, id)).Detail, detail);
      }
      await Deno.remove(`${path}/fill`);
      await using work = await startWorkceptor(path);
      assert.equal((await completed(work, id)).Detail, detail);
    },
  });
}
