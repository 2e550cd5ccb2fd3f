import assert from "node:assert/strict";
import {
  markOf,
  parseMark,
  readMark,
  SET_MARK_SCRIPT,
} from "../../../lib/workceptor/command/job_mark.ts";
import { type Candidate, jobProcesses } from "../../../lib/workceptor/command/job_processes.ts";
import { readProcess } from "../../../lib/workceptor/command/process_identity.ts";
import { readProcesses } from "../../../lib/workceptor/command/process_table.ts";
import { denoSpawner } from "../../../lib/workceptor/command/spawner.ts";
import { startSupervisor } from "../../../lib/workceptor/command/supervisor.ts";
import { temporaryFolder } from "../_harness.ts";

const SELF = 999;

function entry(pid: number, members: Partial<Candidate> = {}): Candidate {
  return {
    pid,
    name: `p${pid}`,
    state: "S",
    parent: 1,
    group: pid,
    session: pid,
    startTime: String(1000 + pid),
    ...members,
  };
}

const leader = entry(10, { startTime: "1000" });
const command = entry(11, { parent: 10, group: 10, session: 10 });
const mark = markOf(leader);

function found(table: Candidate[], known: Candidate[] = []): number[] {
  const members = jobProcesses(table, { leader, command }, { self: SELF, known });
  return members.map(({ pid }) => pid).sort((a, b) => a - b);
}

Deno.test("a job's processes are found by mark, group, session and descent", () => {
  assert.deepEqual(
    found([
      leader,
      command,
      entry(12, { group: 10, session: 10 }),
      entry(13, { session: 10 }),
      entry(14, { parent: 11 }),
      entry(16, { parent: 15 }),
      entry(15, { parent: 14 }),
      entry(20, { mark }),
      entry(21, { parent: 20 }),
      entry(30),
      entry(31, { mark: markOf(entry(10, { startTime: "1001" })) }),
    ]),
    [10, 11, 12, 13, 14, 15, 16, 20, 21],
  );
});

Deno.test("a group's number says nothing once no process that we recognize vouches for it", () => {
  const stranger = entry(10, { startTime: "5000" });
  assert.deepEqual(found([stranger, entry(12, { group: 10, session: 10 })]), []);
  assert.deepEqual(found([entry(12, { group: 10, session: 10, mark }), entry(13, { group: 10 })]), [
    12,
    13,
  ]);
  const known = entry(12, { group: 10, session: 10 });
  assert.deepEqual(found([known, entry(13, { session: 10 })], [known]), [12, 13]);
});

Deno.test("processes older than the job, and this process, do not belong to the job", () => {
  const older = { startTime: "999", parent: 11, mark };
  assert.deepEqual(
    found([
      leader,
      command,
      entry(5, older),
      entry(SELF, { parent: 11, mark }),
      entry(6, {
        parent: SELF,
      }),
    ]),
    [10, 11],
  );
});

Deno.test("a job's mark goes to its processes, and each supervisor has its own", async () => {
  await using folder = await temporaryFolder();
  await Deno.writeTextFile(`${folder.path}/stdin`, "");
  const script = "env -i setsid sh -c 'cat /proc/self/limits'";
  const words = ["sh", "-c", script];
  const { ended, identity } = await startSupervisor(denoSpawner, folder.path, words);
  assert.deepEqual(await ended, { kind: "exited", status: 0 });
  const limits = await Deno.readTextFile(`${folder.path}/stdout`);
  assert.equal(parseMark(limits), markOf(identity!));
  assert.notEqual(markOf(identity!), markOf({ ...identity!, pid: identity!.pid + 1 }));
  assert.notEqual(readMark(Deno.pid), markOf(identity!));
});

Deno.test("the shell computes the expected mark for every pid and start time", async () => {
  for (const startTime of ["0", "1", "536870911", "536870912", "98765432109"]) {
    const { stdout } = await new Deno.Command("sh", {
      args: ["-c", `receptor_start=${startTime}; ${SET_MARK_SCRIPT}; echo $$; cat /proc/$$/limits`],
    }).output();
    const text = new TextDecoder().decode(stdout);
    const pid = Number.parseInt(text, 10);
    assert.equal(parseMark(text), markOf({ pid, group: pid, startTime }));
  }
});

Deno.test("a look at the processes also finds those that start meanwhile", async () => {
  const met: number[] = [];
  let child: Deno.ChildProcess | undefined;
  await readProcesses((pid) => {
    child ??= new Deno.Command("sleep", { args: ["1000"], stdin: "null" }).spawn();
    met.push(pid);
    return undefined;
  });
  assert.ok(met.includes(Deno.pid) && met.includes(child!.pid));
  assert.ok(readProcess(child!.pid) !== undefined);
  child!.kill("SIGKILL");
  await child!.status;
  assert.equal(readProcess(child!.pid), undefined);
});
