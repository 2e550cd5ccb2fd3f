import assert from "node:assert/strict";
import { startSupervisor } from "../../../lib/workceptor/command/supervisor.ts";
import {
  readJobEnd,
  readSupervisorRecord,
  takeFromSupervisor,
} from "../../../lib/workceptor/command/supervisor_files.ts";
import {
  isRunning,
  parseStatLine,
  readBootId,
} from "../../../lib/workceptor/command/process_identity.ts";
import { temporaryFolder } from "../_harness.ts";

async function unitFolder() {
  const folder = await temporaryFolder();
  await Deno.writeTextFile(`${folder.path}/stdin`, "payload");
  await Deno.writeTextFile(`${folder.path}/stdout`, "");
  return folder;
}

Deno.test("a supervisor runs its command and leaves the exit status", async () => {
  await using folder = await unitFolder();
  const { command, ended, pid } = startSupervisor(folder.path, ["sh", "-c", "cat; exit 5"]);
  const identity = await command;
  assert.equal(identity!.group, pid);
  assert.deepEqual(await ended, { kind: "exited", status: 5 });
  assert.equal(await Deno.readTextFile(`${folder.path}/stdout`), "payload");
  assert.deepEqual(await readJobEnd(folder.path), { kind: "exited", status: 5 });
  const record = (await readSupervisorRecord(folder.path))!;
  assert.equal(record.bootId, await readBootId());
  assert.equal(record.supervisor!.pid, pid);
  assert.deepEqual(record.command, identity);
});

Deno.test("of several supervisors for one unit exactly one runs the command", async () => {
  await using folder = await unitFolder();
  const words = ["sh", "-c", "echo run"];
  const ends = await Promise.all(
    Array.from({ length: 8 }, () => startSupervisor(folder.path, words).ended),
  );
  assert.equal(ends.filter(({ kind }) => kind === "exited").length, 1);
  assert.equal(ends.filter(({ kind }) => kind === "taken").length, 7);
  assert.equal(await Deno.readTextFile(`${folder.path}/stdout`), "run\n");
});

Deno.test("a unit that was taken away is not run by a late supervisor", async () => {
  await using folder = await unitFolder();
  assert.equal(await takeFromSupervisor(folder.path), true);
  assert.equal(await takeFromSupervisor(folder.path), false);
  const { command, ended } = startSupervisor(folder.path, ["sh", "-c", "echo run"]);
  assert.deepEqual(await ended, { kind: "taken" });
  assert.equal(await command, undefined);
  assert.equal(await Deno.readTextFile(`${folder.path}/stdout`), "");
});

Deno.test("a unit that a supervisor has cannot be taken away", async () => {
  await using folder = await unitFolder();
  await startSupervisor(folder.path, ["true"]).ended;
  assert.equal(await takeFromSupervisor(folder.path), false);
});

Deno.test("a failure of the shell itself is told apart from the command's own failure", async () => {
  await using folder = await unitFolder();
  await Deno.remove(`${folder.path}/stdin`);
  const end = await startSupervisor(folder.path, ["cat"]).ended;
  assert.equal(end.kind, "not run");
  assert.match((end as { problem: string }).problem, /stdin/);
});

for (const name of ["SOME_NAME", "NO.SHELL'S"]) {
  Deno.test(`a command that cannot be run after all leaves the reason, with ${name} set`, async () => {
    Deno.env.set(name, "1");
    using _restored = { [Symbol.dispose]: () => Deno.env.delete(name) };
    for (const reason of ["no such file or directory", "permission denied"]) {
      await using folder = await unitFolder();
      const command = reason === "permission denied" ? folder.path : `${folder.path}/gone`;
      assert.deepEqual(await startSupervisor(folder.path, [command]).ended, {
        kind: "not run",
        problem: `fork/exec ${command}: ${reason}`,
      });
      assert.equal(await Deno.readTextFile(`${folder.path}/stdout`), "");
    }
  });
}

Deno.test("words reach the command as they are", async () => {
  await using folder = await unitFolder();
  const words = ["", "a  b", "$HOME", "`id`", "*", "'", '"', "\\", "-n", "--", "ü\n", "$(id)"];
  await startSupervisor(folder.path, ["printf", "[%s]", ...words]).ended;
  assert.equal(
    await Deno.readTextFile(`${folder.path}/stdout`),
    words.map((word) => `[${word}]`).join(""),
  );
});

Deno.test("an exit file without its newline does not count", async () => {
  await using folder = await unitFolder();
  for (const text of ["", "1", "x\n", "-1\n"]) {
    await Deno.writeTextFile(`${folder.path}/exit`, text);
    assert.equal(await readJobEnd(folder.path), undefined, JSON.stringify(text));
  }
});

Deno.test("a stat line is read whatever the command is called", () => {
  const rest = "S 1 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 98765 1 1";
  for (const name of ["sh", "a b", "(x)", ") S 9 9 (", "é"]) {
    assert.deepEqual(parseStatLine(`17 (${name}) ${rest}`), {
      pid: 17,
      name,
      state: "S",
      parent: 1,
      group: 42,
      session: 42,
      startTime: "98765",
    });
  }
  for (const line of ["", "17", "17 (sh)", "17 (sh) S 1 2", "x (sh) " + rest]) {
    assert.equal(parseStatLine(line), undefined, line);
  }
});

Deno.test("a process is not mistaken for one that had its pid at another time", async () => {
  const self = parseStatLine(await Deno.readTextFile("/proc/self/stat"))!;
  assert.equal(isRunning(self), true);
  assert.equal(isRunning({ ...self, startTime: "1" }), false);
});
