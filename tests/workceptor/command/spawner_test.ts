/** What jobs inherit, and what is heard of them, whichever way their shells are started. */
import assert from "node:assert/strict";
import { NativeSpawner } from "../../../lib/workceptor/command/native_spawner.ts";
import { parseStatLine, readProcess } from "../../../lib/workceptor/command/process_identity.ts";
import { denoSpawner, type Spawner } from "../../../lib/workceptor/command/spawner.ts";
import { eventually, processEnd, temporaryFolder } from "../_harness.ts";

function testEach(name: string, test: (spawner: Spawner) => Promise<void>): void {
  Deno.test(`${name} (started by Deno)`, () => test(denoSpawner));
  Deno.test(`${name} (started by the C library)`, async () => {
    await using spawner = NativeSpawner.open()!;
    await test(spawner);
  });
}

/** Prints what a child of the shell sees in its own /proc/<pid>/stat. */
const ANNOUNCE = "(read -r line </proc/self/stat; printf '%s\\n' \"$line\")";

function run(spawner: Spawner, script: string, args: readonly string[] = [], env = {}) {
  return spawner.spawn(["-c", script, "sh", ...args], { ...Deno.env.toObject(), ...env });
}

testEach("a shell's exit status is known, and that it was killed", async (spawner) => {
  for (const status of [0, 1, 124, 255]) {
    assert.equal(await (await run(spawner, `exit ${status}`)).ended, status);
  }
  assert.equal(await (await run(spawner, "kill -9 $$")).ended, undefined);
});

testEach("each of many shells has its own announcement and its own end", async (spawner) => {
  await Promise.all(Array.from({ length: 60 }, async (_, number) => {
    const isSilent = number % 3 === 0;
    const script = isSilent ? `exit ${number}` : `${ANNOUNCE}; exit ${number}`;
    const shell = await run(spawner, script);
    const announced = await shell.announced;
    assert.equal(announced === undefined, isSilent);
    if (announced !== undefined) assert.equal(announced.group, shell.pid);
    assert.equal(await shell.ended, number);
  }));
});

testEach("what a shell announces is heard while it runs", async (spawner) => {
  await using folder = await temporaryFolder();
  const fifo = `${folder.path}/fifo`;
  await new Deno.Command("mkfifo", { args: [fifo] }).output();
  const shell = await run(spawner, `${ANNOUNCE}; read -r line <"$1"; exit 7`, [fifo]);
  assert.equal((await shell.announced)!.group, shell.pid);
  assert.notEqual(readProcess(shell.pid), undefined);
  await Deno.writeTextFile(fifo, "go on\n");
  assert.equal(await shell.ended, 7);
});

testEach("a shell leads a session of its own, and its stat is read in time", async (spawner) => {
  const shell = await run(spawner, "exec sleep 1000");
  const entry = readProcess(shell.pid)!;
  assert.deepEqual([entry.session, entry.group, entry.parent], [shell.pid, shell.pid, Deno.pid]);
  assert.equal(shell.identity!.startTime, entry.startTime);
  Deno.kill(shell.pid, "SIGKILL");
  assert.equal(await shell.ended, undefined);
});

testEach("a shell has nothing of ours but environment and folder", async (spawner) => {
  await using folder = await temporaryFolder();
  const out = `${folder.path}/out`;
  using _open = await Deno.open(`${folder.path}/ours`, { write: true, create: true });
  const script = `{ env; pwd; readlink /proc/$$/fd/*
    while read -r line; do echo "status $line"; done </proc/self/status; } >"$1"`;
  const shell = await run(spawner, script, [out], { SPAWNER_TEST: "ü = $x 'y'" });
  assert.equal(await shell.ended, 0);
  const lines = (await Deno.readTextFile(out)).split("\n");
  assert.ok(lines.includes("SPAWNER_TEST=ü = $x 'y'"));
  assert.ok(lines.includes(`PATH=${Deno.env.get("PATH")}`));
  assert.ok(lines.includes(Deno.cwd()));
  assert.ok(lines.includes(out));
  assert.ok(!lines.includes(`${folder.path}/ours`));
  const signals = (name: string) =>
    BigInt(`0x${lines.find((line) => line.startsWith(`status ${name}:`))!.split(/\s+/).at(-1)}`);
  const SIGPIPE = 1n << 12n;
  assert.equal(signals("SigBlk"), 0n);
  assert.equal(signals("SigIgn") & SIGPIPE, 0n);
});

testEach("what cannot be started is refused with the system's reason", async (spawner) => {
  await assert.rejects(run(spawner, "exit 0", ["x".repeat(4 * 1024 * 1024)]), /too long/);
  await assert.rejects(run(spawner, "exit 0", ["a\0b"]), /nul byte/i);
  assert.equal(await (await run(spawner, "exit 3")).ended, 3);
});

Deno.test("a shell that ends after its spawner is waited for all the same", async () => {
  await using folder = await temporaryFolder();
  const fifo = `${folder.path}/fifo`;
  await new Deno.Command("mkfifo", { args: [fifo] }).output();
  let pid: number;
  {
    await using spawner = NativeSpawner.open()!;
    ({ pid } = await run(spawner, 'read -r line <"$1"; exit 0', [fifo]));
    await spawner[Symbol.asyncDispose]();
    await assert.rejects(run(spawner, "exit 0"), /no shells are started any more/);
  }
  assert.notEqual(readProcess(pid), undefined);
  await Deno.writeTextFile(fifo, "\n");
  await processEnd(pid);
  await eventually(async () => {
    try {
      return parseStatLine(await Deno.readTextFile(`/proc/${pid}/stat`)) === undefined;
    } catch {
      return true;
    }
  }, "no zombie");
});

Deno.test("a spawner that has started nothing can be disposed of, twice", async () => {
  await using spawner = NativeSpawner.open()!;
  await spawner[Symbol.asyncDispose]();
});
