import assert from "node:assert/strict";
import { NativeSpawner } from "../../../lib/workceptor/command/native_spawner.ts";
import { denoSpawner, type Spawner } from "../../../lib/workceptor/command/spawner.ts";
import { startSupervisor, type Supervisor } from "../../../lib/workceptor/command/supervisor.ts";
import {
  type JobEnd,
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

type Start = (folder: string, words: readonly string[]) => Promise<Supervisor>;

/** Both ways to start a shell must look the same to whoever uses them. */
function testEach(name: string, test: (start: Start) => Promise<void>): void {
  const startBy = (spawner: Spawner): Start => (folder, words) =>
    startSupervisor(spawner, folder, words);
  Deno.test(`${name} (started by Deno)`, () => test(startBy(denoSpawner)));
  Deno.test(`${name} (started by the C library)`, async () => {
    await using spawner = NativeSpawner.open()!;
    await test(startBy(spawner));
  });
}

async function endOf(start: Start, folder: string, words: readonly string[]): Promise<JobEnd> {
  return await (await start(folder, words)).ended;
}

testEach("a supervisor runs its command and leaves the exit status", async (start) => {
  await using folder = await unitFolder();
  const { command, ended, pid } = await start(folder.path, ["sh", "-c", "cat; exit 5"]);
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

testEach("of several supervisors for one unit exactly one runs the command", async (start) => {
  await using folder = await unitFolder();
  const words = ["sh", "-c", "echo run"];
  const ends = await Promise.all(
    Array.from({ length: 8 }, async () => (await start(folder.path, words)).ended),
  );
  assert.equal(ends.filter(({ kind }) => kind === "exited").length, 1);
  assert.equal(ends.filter(({ kind }) => kind === "taken").length, 7);
  assert.equal(await Deno.readTextFile(`${folder.path}/stdout`), "run\n");
});

testEach("a unit that was taken away is not run by a late supervisor", async (start) => {
  await using folder = await unitFolder();
  assert.equal(await takeFromSupervisor(folder.path), true);
  assert.equal(await takeFromSupervisor(folder.path), false);
  const { command, ended } = await start(folder.path, ["sh", "-c", "echo run"]);
  assert.deepEqual(await ended, { kind: "taken" });
  assert.equal(await command, undefined);
  assert.equal(await Deno.readTextFile(`${folder.path}/stdout`), "");
});

testEach("a unit that a supervisor has cannot be taken away", async (start) => {
  await using folder = await unitFolder();
  await endOf(start, folder.path, ["true"]);
  assert.equal(await takeFromSupervisor(folder.path), false);
});

testEach(
  "a failure of the shell itself is told apart from the command's own failure",
  async (start) => {
    await using folder = await unitFolder();
    await Deno.remove(`${folder.path}/stdin`);
    const end = await endOf(start, folder.path, ["cat"]);
    assert.equal(end.kind, "not run");
    assert.match((end as { problem: string }).problem, /stdin/);
  },
);

for (const name of ["SOME_NAME", "NO.SHELL'S"]) {
  testEach(
    `a command that cannot be run after all leaves the reason, with ${name} set`,
    async (start) => {
      Deno.env.set(name, "1");
      using _restored = { [Symbol.dispose]: () => Deno.env.delete(name) };
      for (const reason of ["no such file or directory", "permission denied"]) {
        await using folder = await unitFolder();
        const command = reason === "permission denied" ? folder.path : `${folder.path}/gone`;
        assert.deepEqual(await endOf(start, folder.path, [command]), {
          kind: "not run",
          problem: `fork/exec ${command}: ${reason}`,
        });
        assert.equal(await Deno.readTextFile(`${folder.path}/stdout`), "");
      }
    },
  );
}

testEach("words reach the command as they are", async (start) => {
  await using folder = await unitFolder();
  const words = ["", "a  b", "$HOME", "`id`", "*", "'", '"', "\\", "-n", "--", "ü\n", "$(id)"];
  await endOf(start, folder.path, ["printf", "[%s]", ...words]);
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
