import assert from "node:assert/strict";
import { makeOwnFolder } from "../../lib/control/own_folder.ts";
import { TempFolder } from "../support/temp_folder.ts";

Deno.test("an own folder is created private, and used again", async () => {
  await using folder = await TempFolder.create();
  const path = folder.join("own");
  await makeOwnFolder(path);
  assert.equal((await Deno.lstat(path)).mode! & 0o777, 0o700);
  await makeOwnFolder(path);
});

Deno.test("a folder that others made, or may enter, is refused", async () => {
  await using folder = await TempFolder.create();
  const path = folder.join("own");
  await makeOwnFolder(path);
  await assert.rejects(makeOwnFolder(path, Deno.uid()! + 1), /own belongs to user \d+: only you/);

  await Deno.symlink(path, folder.join("link"));
  await assert.rejects(makeOwnFolder(folder.join("link")), /link is a link/);
  await Deno.symlink(folder.join("nowhere"), folder.join("dangling"));
  await assert.rejects(makeOwnFolder(folder.join("dangling")), /dangling is a link/);
  await Deno.writeTextFile(folder.join("file"), "");
  await assert.rejects(makeOwnFolder(folder.join("file")), /file is not a folder/);
  for (const mode of [0o710, 0o701, 0o777]) {
    await Deno.chmod(path, mode);
    await assert.rejects(makeOwnFolder(path), /own is open to others \(mode 07\d\d, not 0700\)/);
  }
});
