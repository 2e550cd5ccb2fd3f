import assert from "node:assert/strict";
import { ExecutableCheck } from "../../../lib/workceptor/command/executable_check.ts";
import { temporaryFolder } from "../_harness.ts";

/** Longer than a finding counts, in milliseconds. */
const LATER = 60_000;

async function script(path: string, text: string): Promise<void> {
  await Deno.writeTextFile(path, text);
  await Deno.chmod(path, 0o755);
}

Deno.test("a command that was found is found again, and its change is noticed", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/tool`;
  await script(path, "#!/bin/sh\n");
  const check = new ExecutableCheck("tool", `/no/such/folder:${folder.path}`);
  await check.throwUnlessRunnable(0);
  await check.throwUnlessRunnable(1);
  await script(`${path}.new`, "no program\n");
  await Deno.rename(`${path}.new`, path);
  await assert.rejects(check.throwUnlessRunnable(2), {
    message: `fork/exec ${path}: exec format error`,
  });
  await Deno.chmod(path, 0o644);
  await assert.rejects(check.throwUnlessRunnable(3), /not found in \$PATH/);
  await script(path, "#!/bin/sh\n");
  await check.throwUnlessRunnable(4);
  await Deno.chmod(path, 0o644);
  await assert.rejects(check.throwUnlessRunnable(5), /not found in \$PATH/);
});

Deno.test("that its interpreter is gone is noticed some time later", async () => {
  await using folder = await temporaryFolder();
  const interpreter = `${folder.path}/interpreter`;
  await script(interpreter, "#!/bin/sh\n");
  const path = `${folder.path}/tool`;
  await script(path, `#!${interpreter}\n`);
  const check = new ExecutableCheck(path, "");
  await check.throwUnlessRunnable(0);
  await Deno.remove(interpreter);
  await check.throwUnlessRunnable(1);
  await assert.rejects(check.throwUnlessRunnable(LATER), {
    message: `fork/exec ${path}: no such file or directory`,
  });
});

Deno.test("many who ask at once get the same answer, and a wrong one is not kept", async () => {
  await using folder = await temporaryFolder();
  const check = new ExecutableCheck("tool", folder.path);
  const askMany = () =>
    Promise.allSettled(Array.from({ length: 20 }, () => check.throwUnlessRunnable(0)));
  assert.ok((await askMany()).every(({ status }) => status === "rejected"));
  await script(`${folder.path}/tool`, "#!/bin/sh\n");
  assert.ok((await askMany()).every(({ status }) => status === "fulfilled"));
});
