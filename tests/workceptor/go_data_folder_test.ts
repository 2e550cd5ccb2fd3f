/** A data folder that is passed between the Go daemon and ours. */
import assert from "node:assert/strict";
import {
  auth,
  completed,
  eventually,
  processEnd,
  readText,
  running,
  startWorkceptor,
  submitScript,
  temporaryFolder,
} from "./_harness.ts";

const peers = Deno.env.get("RECEPTOR_PEERS") || undefined;

function goTest(name: string, run: () => Promise<void>): void {
  const suffix = peers === undefined ? " (skipped: RECEPTOR_PEERS is not set)" : "";
  Deno.test({ name: name + suffix, ignore: peers === undefined, fn: run });
}

/** A Go daemon on `dataDir` as node `n1`; `ask` sends a line and resolves to the reply. */
async function startGo(dataDir: string) {
  const socket = `${dataDir}/go.sock`;
  const process = new Deno.Command(`${peers}/receptor`, {
    args: [
      ...["--node", "id=n1", `datadir=${dataDir}`, "--local-only"],
      ...["--control-service", "service=control", `filename=${socket}`],
      ...["--work-command", "worktype=sh", "command=sh", "params=-c", "allowruntimeparams=true"],
    ],
    stdout: "null",
    stderr: "null",
  }).spawn();
  const connect = () => Deno.connect({ transport: "unix", path: socket });
  await eventually(() => connect().then((conn) => (conn.close(), true), () => false));
  const ask = async (line: string, payload?: string) => {
    using conn = await connect();
    const reader = lines(conn);
    const next = async () => (await reader.next()).value as string;
    await next();
    await conn.write(new TextEncoder().encode(line + "\n"));
    const reply = await next();
    if (payload === undefined) return JSON.parse(reply);
    if (reply.startsWith("ERROR")) throw new Error(reply);
    await conn.write(new TextEncoder().encode(payload));
    await conn.closeWrite();
    return JSON.parse(await next());
  };
  const stop = async () => {
    process.kill("SIGKILL");
    await process.status;
    await Deno.remove(socket).catch(() => {});
    await Deno.remove(`${socket}.lock`).catch(() => {});
  };
  /** Resolves to the unit's id. The work types of a daemon come after its control service. */
  const submit = (script: string) =>
    eventually(async (): Promise<string | undefined> => {
      try {
        return (await ask(goSubmit(script), "")).unitid;
      } catch (error) {
        if (!String(error).includes("unknown work type")) throw error;
        return undefined;
      }
    }, "work type of the Go daemon");
  return { ask, submit, stop };
}

async function* lines(conn: Deno.Conn): AsyncGenerator<string> {
  const buffer = new Uint8Array(4096);
  let text = "";
  for (let count; (count = await conn.read(buffer)) !== null;) {
    text += new TextDecoder().decode(buffer.subarray(0, count));
    for (let end; (end = text.indexOf("\n")) !== -1;) {
      yield text.slice(0, end);
      text = text.slice(end + 1);
    }
  }
}

const goSubmit = (script: string) =>
  JSON.stringify({
    command: "work",
    subcommand: "submit",
    node: "localhost",
    worktype: "sh",
    params: `'${script}'`,
  });

goTest("a job that the Go daemon left running is followed to its end, and cancelled", async () => {
  await using folder = await temporaryFolder();
  const go = await startGo(folder.path);
  const wait = `while [ -d ${folder.path} ] && [ ! -e ${folder.path}/go ]; do sleep 0.05; done`;
  const ends = await go.submit(`echo begin; ${wait}; echo end; exit 3`);
  const leave = `setsid sh -c "echo \\$\\$ >${folder.path}/pid.new; ` +
    `mv ${folder.path}/pid.new ${folder.path}/pid; exec sleep 100" & echo begin; sleep 100`;
  const stopped = await go.submit(leave);
  for (const id of [ends, stopped]) {
    await eventually(async () => (await go.ask(`work status ${id}`)).State === 1);
  }
  const away = await eventually(() =>
    Deno.readTextFile(`${folder.path}/pid`).then(Number, () => undefined)
  );
  await go.stop();
  await using work = await startWorkceptor(folder.path);
  for (const id of [ends, stopped]) assert.equal((await work.status(id)).StateName, "Running");
  await work.cancel(stopped, auth);
  assert.equal((await completed(work, stopped)).StateName, "Canceled");
  await processEnd(away);
  await Deno.writeTextFile(`${folder.path}/go`, "");
  assert.equal(await readText(work, ends), "begin\nend\n");
  assert.equal((await work.status(ends)).Detail, "exit status 3");
  await work.release(ends, { ...auth, force: false });
});

goTest("the Go daemon shows our units as we do", async () => {
  await using folder = await temporaryFolder();
  const shown: Record<string, unknown> = {};
  let busy;
  {
    await using work = await startWorkceptor(folder.path);
    for (const script of ["echo hi", "exit 4"]) {
      const id = await submitScript(work, script);
      shown[id] = await completed(work, id);
    }
    busy = await submitScript(work, "sleep 100");
    shown[busy] = { ...await running(work, busy), StdoutSize: 0 };
  }
  const go = await startGo(folder.path);
  try {
    // Its work types come after its control service.
    const list = await eventually(async () => {
      const list = await go.ask("work list");
      const isRead = Object.keys(list).length === Object.keys(shown).length;
      return isRead && !JSON.stringify(list).includes("Unknown WorkType") && list;
    });
    assert.deepEqual(list, shown);
  } finally {
    await go.stop();
  }
  await using work = await startWorkceptor(folder.path);
  await work.release(busy, { ...auth, force: true });
});
