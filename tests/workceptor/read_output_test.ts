/** The results of a unit, from any byte on, while it runs and after. */
import assert from "node:assert/strict";
import {
  auth,
  completed,
  emptyRequest,
  ended,
  eventually,
  fastClock,
  readAll,
  readText,
  running,
  startWorkceptor,
  submit,
  submitScript,
  temporaryFolder,
  unixCaller,
} from "./_harness.ts";

/**
 * A script that prints its payload's lines one by one, each when the file `<folder>/<n>` exists.
 */
const stepwise = (folder: string, steps: number) =>
  `for n in $(seq ${steps}); do while [ -d '${folder}' ] && [ ! -e '${folder}'/$n ]; do sleep 0.02; done; ` +
  `printf "line $n;"; done`;

Deno.test("output arrives while the job runs, and each byte once", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path);
  const id = await submitScript(work, stepwise(folder.path, 5));
  const signal = AbortSignal.timeout(30_000);
  let text = "", step = 0;
  const next = () => Deno.writeTextFile(`${folder.path}/${++step}`, "");
  await next();
  for await (const bytes of await work.results(id, { ...auth, startPos: 0, signal })) {
    text += new TextDecoder().decode(bytes);
    assert.equal(text.split(";").length - 1, step);
    if (step < 5) await next();
  }
  assert.equal(text, "line 1;line 2;line 3;line 4;line 5;");
});

Deno.test("results start at any byte, even beyond what there is", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path);
  const id = await submit(work, { workType: "cat" }, "0123456789");
  await completed(work, id);
  for (const startPos of [0, 1, 9, 10, 11, 2 ** 40]) {
    const text = new TextDecoder().decode(await readAll(work, id, { startPos }));
    assert.equal(text, "0123456789".slice(startPos));
  }
});

Deno.test("a start beyond the end of a running unit waits for that byte", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path);
  const id = await submitScript(work, stepwise(folder.path, 3));
  const late = readAll(work, id, { startPos: 10 });
  for (const step of [1, 2, 3]) await Deno.writeTextFile(`${folder.path}/${step}`, "");
  assert.equal(new TextDecoder().decode(await late), "e 2;line 3;");
});

Deno.test("results may be asked for before the payload is complete", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path);
  const unit = await work.submit({ ...emptyRequest, workType: "cat" }, unixCaller);
  const results = readText(work, unit.unitId);
  await unit.writePayload(new TextEncoder().encode("late"));
  await unit.start();
  assert.equal(await results, "late");
});

Deno.test("an aborted reader is released at once, and others read on", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path);
  const id = await submitScript(work, stepwise(folder.path, 1));
  const abort = new AbortController();
  const first = readAll(work, id, { signal: abort.signal });
  const second = readText(work, id);
  await running(work, id);
  abort.abort(new Error("gone"));
  await assert.rejects(first, { message: "gone" });
  await Deno.writeTextFile(`${folder.path}/1`, "");
  assert.equal(await second, "line 1;");
});

Deno.test("results go on when the output file is removed", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path);
  const id = await submitScript(work, stepwise(folder.path, 2));
  await Deno.writeTextFile(`${folder.path}/1`, "");
  const signal = AbortSignal.timeout(30_000);
  let text = "";
  for await (const bytes of await work.results(id, { ...auth, startPos: 0, signal })) {
    text += new TextDecoder().decode(bytes);
    if (text !== "line 1;") continue;
    await Deno.remove(`${folder.path}/n1/${id}/stdout`);
    await Deno.writeTextFile(`${folder.path}/2`, "");
  }
  assert.equal(text, "line 1;line 2;");
});

for (const [what, path] of [["folder", ""], ["output file", "/stdout"]] as const) {
  Deno.test(`results of a unit whose ${what} is removed report that output is lost`, async () => {
    await using folder = await temporaryFolder();
    await using work = await startWorkceptor(folder.path);
    const id = await submitScript(work, stepwise(folder.path, 2));
    await Deno.writeTextFile(`${folder.path}/1`, "");
    await eventually(async () => (await work.status(id)).StdoutSize === 7);
    await Deno.remove(`${folder.path}/n1/${id}${path}`, { recursive: true });
    const lost = { name: "ControlError", message: /^the output of work unit \w+ was lost/ };
    await assert.rejects(readText(work, id), lost);
    await Deno.writeTextFile(`${folder.path}/2`, "");
    const { StateName, Detail } = await ended(work, id);
    assert.equal(StateName, "Succeeded");
    assert.match(Detail, /^exit status 0; its output was lost: /);
    await assert.rejects(readText(work, id), lost);
    assert.deepEqual(Object.keys(await work.list()), [id]);
    await work[Symbol.asyncDispose]();
    {
      await using next = await startWorkceptor(folder.path);
      assert.equal((await next.status(id)).Detail, Detail);
      await assert.rejects(readText(next, id), lost);
      await next.release(id, { ...auth, force: false });
      assert.deepEqual(await next.list(), {});
    }
  });
}

Deno.test("results of a unit whose output was cut short report that output is lost", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path);
  const id = await submit(work, { workType: "cat" }, "0123456789");
  await completed(work, id);
  await Deno.truncate(`${folder.path}/n1/${id}/stdout`, 5);
  await assert.rejects(readText(work, id), /was lost/);
  await Deno.remove(`${folder.path}/n1/${id}/stdout`);
  await assert.rejects(readText(work, id), /was lost/);
  assert.equal((await readAll(work, id, { startPos: 10 })).length, 0);
});

Deno.test("the state of a unit whose last line was just read is the final one", async () => {
  await using folder = await temporaryFolder();
  // A slow clock gives a busy machine more time than a user would wait.
  await using work = await startWorkceptor(folder.path, { parts: { clock: fastClock(1 / 20) } });
  for (let round = 0; round < 3; round++) {
    const id = await submitScript(work, "echo last; sleep 0.05; exit 1");
    const signal = AbortSignal.timeout(30_000);
    for await (const _ of await work.results(id, { ...auth, startPos: 0, signal })) break;
    assert.equal((await work.status(id)).Detail, "exit status 1");
  }
});

Deno.test("the state of a unit that keeps running is reported soon, even while its output is read", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path);
  const id = await submitScript(work, stepwise(folder.path, 2));
  await Deno.writeTextFile(`${folder.path}/1`, "");
  const signal = AbortSignal.timeout(30_000);
  for await (const _ of await work.results(id, { ...auth, startPos: 0, signal })) break;
  assert.ok((await work.status(id)).State <= 1);
  await Deno.writeTextFile(`${folder.path}/2`, "");
  await completed(work, id);
});

Deno.test("large output is byte for byte the same for many readers at once", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path);
  const payload = new Uint8Array(20_000_000);
  for (let start = 0; start < payload.length; start += 65536) {
    crypto.getRandomValues(payload.subarray(start, start + 65536));
  }
  const id = await submit(work, { workType: "cat" }, payload);
  const readers = [0, 1, 12_345_678].map(async (startPos) => {
    const bytes = await readAll(work, id, { startPos });
    assert.equal(bytes.length, payload.length - startPos);
    assert.equal(await digest(bytes), await digest(payload.subarray(startPos)));
  });
  await Promise.all(readers);
});

async function digest(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

Deno.test("a reader that does not read costs no memory and delays nobody", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path);
  const id = await submitScript(work, "head -c 50000000 /dev/zero");
  const output = await work.results(id, {
    ...auth,
    startPos: 0,
    signal: AbortSignal.timeout(30_000),
  });
  const slow = output[Symbol.asyncIterator]();
  assert.ok((await slow.next()).value!.length <= 512 * 1024);
  assert.equal((await readAll(work, id)).length, 50_000_000);
  assert.equal((await work.status(id)).StateName, "Succeeded");
  await slow.return!();
});
