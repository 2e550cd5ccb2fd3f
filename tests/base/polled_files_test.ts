import { deepStrictEqual, ok, rejects, strictEqual, throws } from "node:assert/strict";
import { Errno, Libc, OpenFlag, SystemCallError } from "../../lib/base/libc.ts";
import { PolledFiles } from "../../lib/base/polled_files.ts";

const FLAGS = OpenFlag.readWrite | OpenFlag.nonBlocking | OpenFlag.noControllingTerminal |
  OpenFlag.closeOnExec;

/** A pipe with a name is opened for both directions, so that its own writer is its reader. */
async function withPipe(
  use: (files: PolledFiles, path: string, libc: Libc) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/pipe`;
    const { success } = await new Deno.Command("mkfifo", { args: [path] }).output();
    ok(success);
    using libc = new Libc();
    await using files = new PolledFiles(libc);
    await use(files, path, libc);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a call that fails says which, and why", () => {
  using libc = new Libc();
  throws(
    () => libc.open("/no/such/file", FLAGS),
    (error) =>
      error instanceof SystemCallError && error.errno === 2 &&
      error.message === "open /no/such/file: No such file or directory",
  );
});

Deno.test("a read waits for bytes, and a write for room", async () => {
  await withPipe(async (files, path, libc) => {
    const file = files.adopt(libc.open(path, FLAGS));
    const into = new Uint8Array(16);
    const reading = file.read(into);
    strictEqual(await file.write(Uint8Array.of(1, 2, 3)), 3);
    strictEqual(await reading, 3);
    deepStrictEqual([...into.subarray(0, 3)], [1, 2, 3]);

    // More than a pipe holds: the writer has to wait for the reader.
    const total = 512 * 1024;
    const filling = (async () => {
      for (let left = total; left > 0;) {
        left -= await file.write(new Uint8Array(Math.min(left, 8192)));
      }
    })();
    let read = 0;
    while (read < total) read += await file.read(new Uint8Array(8192));
    await filling;
    strictEqual(read, total);
  });
});

Deno.test("closing ends what waits, and files that come later are waited for again", async () => {
  await withPipe(async (files, path, libc) => {
    for (let round = 0; round < 50; round++) {
      const file = files.adopt(libc.open(path, FLAGS));
      const reading = file.read(new Uint8Array(1));
      file.close();
      file.close();
      await rejects(reading, /the file is closed/);
      await rejects(file.write(new Uint8Array(1)), /the file is closed/);
    }
    const file = files.adopt(libc.open(path, FLAGS));
    const reading = file.read(new Uint8Array(1));
    await file.write(Uint8Array.of(7));
    strictEqual(await reading, 1);
  });
});

Deno.test("disposing closes what is open, and takes no more", async () => {
  await withPipe(async (files, path, libc) => {
    const file = files.adopt(libc.open(path, FLAGS));
    const reading = rejects(file.read(new Uint8Array(1)), /the file is closed/);
    await files[Symbol.asyncDispose]();
    await reading;
    throws(() => files.adopt(libc.open(path, FLAGS)), /the files are closed/);
  });
});

Deno.test("a hang-up ends what waits with the system's error", async () => {
  using libc = new Libc();
  await using files = new PolledFiles(libc);
  const fd = libc.check(libc.call.posix_openpt(FLAGS), "posix_openpt");
  const name = new Uint8Array(64);
  strictEqual(
    libc.call.grantpt(fd) | libc.call.unlockpt(fd) | libc.call.ptsname_r(fd, name, 64n),
    0,
  );
  const terminal = files.adopt(fd);
  const path = new TextDecoder().decode(name).split("\0")[0]!;
  const other = libc.open(path, FLAGS);
  const reading = terminal.read(new Uint8Array(1));
  libc.close(other);
  await rejects(
    reading,
    (error) => error instanceof SystemCallError && error.errno === Errno.inputOutput,
  );
});
