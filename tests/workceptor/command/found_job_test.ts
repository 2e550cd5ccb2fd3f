import assert from "node:assert/strict";
import { silentLog } from "../../../lib/base/log.ts";
import {
  completed,
  eventually,
  running,
  startWorkceptor,
  submitScript,
  temporaryFolder,
} from "../_harness.ts";

Deno.test("a job whose files are temporarily unreadable is not given up", async () => {
  await using folder = await temporaryFolder();
  const { path } = folder;
  let id;
  {
    await using work = await startWorkceptor(`${path}/data`);
    id = await submitScript(
      work,
      `while [ -d '${path}' ] && [ ! -e '${path}/go' ]; do sleep 0.05; done; exit 4`,
    );
    await running(work, id);
  }
  const errors: string[] = [];
  const log = { ...silentLog, error: (message: string) => void errors.push(message) };
  await using work = await startWorkceptor(`${path}/data`, { log });
  const exit = `${path}/data/n1/${id}/exit`;
  await Deno.rename(exit, `${exit}.kept`);
  await Deno.mkdir(exit);
  await eventually(() => errors.length > 0);
  await Deno.remove(exit);
  await Deno.rename(`${exit}.kept`, exit);
  await Deno.writeTextFile(`${path}/go`, "");
  assert.equal((await completed(work, id)).Detail, "exit status 4");
  assert.equal(errors.length, 1, errors.join("\n"));
});
