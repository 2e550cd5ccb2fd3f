/** What a cancel ends: every process of the job, wherever it went, and no process of anybody else. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import {
  auth,
  completed,
  eventually,
  fastClock,
  pidIn,
  processEnd,
  readText,
  running,
  startWorkceptor,
  submitScript,
  temporaryFolder,
} from "../_harness.ts";

const STOP_AS_ANOTHER = fileURLToPath(new URL("./_stop_as_another.ts", import.meta.url));

/** Ways to leave a job's process group; each writes the pid of a `sleep` to the file `$pids`. */
const ESCAPES = {
  "a session of its own": `setsid sh -c 'echo $$ >>"$pids"; exec sleep 1000' &`,
  "a session of its own on a pseudo terminal":
    `script -qec 'echo $$ >>"$pids"; exec sleep 1000' /dev/null </dev/null >/dev/null &`,
  "a process group of its own":
    `bash -c 'set -m; sh -c "echo \\$\\$ >>\\"$pids\\"; exec sleep 1000" & wait' &`,
  "a daemon that forked twice": `(setsid sh -c 'sh -c "echo \\$\\$ >>\\"$pids\\"; ` +
    `exec sleep 1000" </dev/null >/dev/null 2>&1 & exit 0')`,
  "a daemon that forked twice and has no environment":
    `(setsid env -i pids="$pids" sh -c '/bin/sh -c "echo \\$\\$ >>$pids; ` +
    `exec env -i /bin/sleep 1000" </dev/null >/dev/null 2>&1 & exit 0')`,
};

/** A script that takes all these ways and then waits; writes its pids to `<folder>/pids`. */
function escaping(folder: string, then = "sleep 1000"): string {
  return `pids='${folder}/pids'; export pids; ${Object.values(ESCAPES).join("\n")}\n${then}`;
}

const COUNT = Object.keys(ESCAPES).length;

/** As `temporaryFolder`; also ends whatever a failed test has left of `escaping`. */
async function escapeFolder(): Promise<AsyncDisposable & { path: string }> {
  const folder = await temporaryFolder();
  return {
    path: folder.path,
    async [Symbol.asyncDispose]() {
      const pids = await Deno.readTextFile(`${folder.path}/pids`).catch(() => "");
      for (const pid of pids.split("\n").filter(Boolean).map(Number)) {
        const stat = await Deno.readTextFile(`/proc/${pid}/stat`).catch(() => "");
        if (stat.includes("(sleep)")) Deno.kill(pid, "SIGKILL");
      }
      await folder[Symbol.asyncDispose]();
    },
  };
}

async function pidsOf(folder: string): Promise<number[]> {
  return await eventually(async () => {
    const text = await Deno.readTextFile(`${folder}/pids`).catch(() => "");
    const pids = text.split("\n").filter(Boolean).map(Number);
    return pids.length === COUNT ? pids : undefined;
  }, "start of all processes");
}

Deno.test("a cancelled job leaves no process, whatever session, group or parent it has", async () => {
  await using folder = await escapeFolder();
  await using work = await startWorkceptor(folder.path);
  const id = await submitScript(work, escaping(folder.path));
  const { path } = folder;
  const pids = [pidIn(await running(work, id)), ...await pidsOf(path)];
  await work.cancel(id, auth);
  const status = await completed(work, id);
  assert.deepEqual([status.StateName, status.Detail], ["Canceled", "Canceled"]);
  for (const pid of pids) await processEnd(pid);
});

for (const force of [false, true]) {
  Deno.test(`a ${force ? "forced " : ""}release leaves no process of the job`, async () => {
    await using folder = await escapeFolder();
    await using work = await startWorkceptor(folder.path);
    const id = await submitScript(work, escaping(folder.path));
    const pids = [pidIn(await running(work, id)), ...await pidsOf(folder.path)];
    await work.release(id, { ...auth, force });
    for (const pid of pids) await processEnd(pid);
    await eventually(async () => Object.keys(await work.list()).length === 0);
  });
}

Deno.test("a job that an earlier daemon started is cancelled as thoroughly", async () => {
  await using folder = await escapeFolder();
  let id, pids;
  {
    await using work = await startWorkceptor(folder.path);
    id = await submitScript(work, escaping(folder.path));
    pids = [pidIn(await running(work, id)), ...await pidsOf(folder.path)];
  }
  await using work = await startWorkceptor(folder.path);
  await work.cancel(id, auth);
  assert.equal((await completed(work, id)).Detail, "Canceled");
  for (const pid of pids) await processEnd(pid);
});

Deno.test("a process that forks faster than it can be killed is still ended", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path, { parts: { clock: fastClock(10) } });
  // Each generation leaves the group and its parent, and ignores all signals that it can.
  await Deno.writeTextFile(
    `${folder.path}/runner`,
    `trap '' INT TERM HUP\n[ -d '${folder.path}' ] || exit\necho $$ >'${folder.path}/last'\n` +
      `setsid sh '${folder.path}/runner' &\n`,
  );
  const id = await submitScript(work, `sh '${folder.path}/runner'; sleep 1000`);
  await running(work, id);
  const last = () => Deno.readTextFile(`${folder.path}/last`).catch(() => "");
  const first = await eventually(async () => await last() || undefined);
  await eventually(async () => await last() !== first);
  await work.cancel(id, auth);
  assert.equal((await completed(work, id)).Detail, "Canceled");
  const end = await last();
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.equal(await last(), end, "it still forks");
});

Deno.test("what a job that ended by itself left behind is left alone", async () => {
  await using folder = await escapeFolder();
  await using work = await startWorkceptor(folder.path);
  const id = await submitScript(work, escaping(folder.path, `cat "$pids" >/dev/null; exit 0`));
  assert.equal((await completed(work, id)).Detail, "exit status 0");
  const pids = await pidsOf(folder.path);
  await work.cancel(id, auth);
  await work.release(id, { ...auth, force: false });
  for (const pid of pids) Deno.kill(pid, "SIGKILL");
});

Deno.test("a cancel does not touch another job, nor a bystander", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path);
  const bystander = new Deno.Command("sleep", { args: ["1000"], stdin: "null" }).spawn();
  const go = `${folder.path}/go`;
  const other = await submitScript(
    work,
    `setsid sh -c 'while [ -d "${folder.path}" ] && [ ! -e "${go}" ]; do sleep 0.05; done' & ` +
      `wait; echo done`,
  );
  await running(work, other);
  const id = await submitScript(work, "setsid sleep 1000 & wait");
  await running(work, id);
  await work.cancel(id, auth);
  await completed(work, id);
  await Deno.writeTextFile(go, "");
  assert.equal(await readText(work, other), "done\n");
  assert.equal((await work.status(other)).StateName, "Succeeded");
  bystander.kill("SIGKILL");
  assert.equal((await bystander.status).signal, "SIGKILL");
});

const NOBODY = 65_534;

Deno.test({
  name: "processes that may not be killed are still found, and named",
  ignore: Deno.uid() !== 0,
  async fn() {
    await using folder = await escapeFolder();
    await using work = await startWorkceptor(`${folder.path}/data`);
    const id = await submitScript(work, escaping(folder.path));
    const status = await running(work, id);
    const pids = await pidsOf(folder.path);
    const supervisor = (status.ExtraData as { Pid: number }).Pid;
    await Deno.chmod(folder.path, 0o777);
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "--no-check",
        "--no-lock",
        "--no-config",
        STOP_AS_ANOTHER,
        `${supervisor}`,
      ],
      env: { DENO_DIR: `${folder.path}/deno`, HOME: folder.path },
      uid: NOBODY,
      gid: NOBODY,
    }).output();
    const left = new TextDecoder().decode(stdout);
    assert.ok(left !== "", new TextDecoder().decode(stderr));
    for (const pid of [supervisor, pidIn(status), ...pids]) {
      assert.ok((JSON.parse(left) as number[]).includes(pid), `${pid} is not in ${left}`);
    }
    await work.cancel(id, auth);
    assert.equal((await completed(work, id)).Detail, "Canceled");
  },
});
