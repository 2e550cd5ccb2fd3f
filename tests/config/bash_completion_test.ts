import assert from "node:assert/strict";
import { bashCompletionScript } from "../../lib/config/bash_completion.ts";

const hasBash = (() => {
  try {
    return new Deno.Command("bash", { args: ["-c", "exit 0"] }).outputSync().success;
  } catch {
    return false;
  }
})();

/** What bash would offer for the last of `words`, which it splits at "=" as in real use. */
async function complete(words: readonly string[], cwd?: string): Promise<string[]> {
  const quoted = words.map((word) => `'${word}'`).join(" ");
  const { stdout, stderr } = await new Deno.Command("bash", {
    args: [
      "--norc",
      "-c",
      `${bashCompletionScript()}
      compopt() { :; } # only possible while bash itself completes
      complete -p receptor >&2
      COMP_WORDS=(receptor ${quoted}) COMP_CWORD=${words.length}
      _receptor
      printf '%s\\n' "\${COMPREPLY[@]}"`,
    ],
    ...(cwd !== undefined && { cwd }),
  }).output();
  assert.equal(new TextDecoder().decode(stderr).trim(), "complete -F _receptor receptor");
  return new TextDecoder().decode(stdout).split("\n").filter((line) => line !== "");
}

function bashTest(name: string, test: () => Promise<void>): void {
  Deno.test({ name: hasBash ? name : `${name} (skipped: no bash)`, ignore: !hasBash, fn: test });
}

bashTest("bash completes actions", async () => {
  assert.deepEqual(await complete(["--lo"]), ["--local-only", "--log-level"]);
  assert.deepEqual(await complete(["--node", "id", "=", "foo", "--tcp"]), [
    "--tcp-listener",
    "--tcp-peer",
    "--tcp-server",
    "--tcp-client",
  ]);
  assert((await complete([""])).includes("--config"));
});

bashTest("bash completes the parameters of the last action", async () => {
  assert.deepEqual(await complete(["--node", "id", "=", "foo", "--tcp-peer", "re"]), ["redial="]);
  assert.deepEqual(await complete(["--tcp-peer", "address", "=", "a:1", "co"]), ["cost="]);
  assert.deepEqual(await complete(["--trace", ""]), []);
});

bashTest("bash completes values that are known", async () => {
  assert.deepEqual(await complete(["--log-level", "level", "="]), [
    "Error",
    "Warning",
    "Info",
    "Debug",
  ]);
  assert.deepEqual(await complete(["--log-level", "De"]), ["Debug"]);
  assert.deepEqual(await complete(["--tcp-peer", "redial", "=", "f"]), ["false"]);
});

bashTest("bash completes the names of files", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/my foo.yml`, "");
    assert.deepEqual(await complete(["--config", "my"], folder), ["my foo.yml"]);
    assert.deepEqual(await complete(["-c", "my"], folder), ["my foo.yml"]);
    assert.deepEqual(await complete(["--node", "datadir", "=", "my"], folder), ["my foo.yml"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
