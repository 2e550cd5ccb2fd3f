import assert from "node:assert/strict";
import { listenUnix, SocketInUseError } from "../../lib/base/unix_listener.ts";
import { TempFolder } from "../support/temp_folder.ts";

const OWNER_ONLY = { mode: 0o600 };

async function names(folder: TempFolder): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder.path))).map(({ name }) => name).sort();
}

Deno.test("unix listener accepts clients, has its mode, and leaves no socket behind", async () => {
  await using folder = await TempFolder.create();
  const path = folder.join("c.sock");
  {
    await using listener = await listenUnix(path, { mode: 0o660 });
    assert.equal((await Deno.lstat(path)).mode! & 0o777, 0o660);
    assert.deepEqual(await names(folder), ["c.sock", "c.sock.lock"]);
    using client = await Deno.connect({ transport: "unix", path });
    const accepted = await listener[Symbol.asyncIterator]().next();
    using conn = accepted.value as Deno.UnixConn;
    await conn.write(new Uint8Array([7]));
    const got = new Uint8Array(1);
    await client.read(got);
    assert.deepEqual([...got], [7]);
  }
  assert.deepEqual(await names(folder), ["c.sock.lock"]);
});

Deno.test("unix listener's socket is never more open than its mode, whatever the umask", async () => {
  await using folder = await TempFolder.create();
  const seen = new Set<number>();
  using watcher = Deno.watchFs(folder.path);
  const watching = (async () => {
    for await (const { paths } of watcher) {
      for (const path of paths.filter((path) => path.endsWith("c.sock"))) {
        seen.add((await Deno.lstat(path).catch(() => undefined))?.mode ?? 0o600);
        watcher.close();
      }
    }
  })();
  const umask = Deno.umask(0);
  try {
    await using _listener = await listenUnix(folder.join("c.sock"), OWNER_ONLY);
    await watching;
  } finally {
    Deno.umask(umask);
  }
  assert.deepEqual([...seen].map((mode) => mode & 0o777), [0o600]);
});

Deno.test("unix listener takes over from a node that died", async () => {
  await using folder = await TempFolder.create();
  const path = folder.join("c.sock");
  const dead = Deno.listen({ transport: "unix", path: folder.join("d.sock") });
  await Deno.rename(folder.join("d.sock"), path);
  dead.close();
  await using _listener = await listenUnix(path, OWNER_ONLY);
  (await Deno.connect({ transport: "unix", path })).close();
});

Deno.test("unix listener refuses a path that another node holds, and does not disturb it", async () => {
  await using folder = await TempFolder.create();
  const path = folder.join("c.sock");
  await using _first = await listenUnix(path, OWNER_ONLY);
  await assert.rejects(
    listenUnix(path, OWNER_ONLY),
    new SocketInUseError(path),
  );
  (await Deno.connect({ transport: "unix", path })).close();
});

Deno.test("unix listener refuses a socket that answers without a lock", async () => {
  await using folder = await TempFolder.create();
  const path = folder.join("c.sock");
  using _other = Deno.listen({ transport: "unix", path });
  await assert.rejects(listenUnix(path, OWNER_ONLY), SocketInUseError);
});

Deno.test("unix listener does not replace what is not a socket", async () => {
  await using folder = await TempFolder.create();
  const path = folder.join("precious");
  await Deno.writeTextFile(path, "data");
  await assert.rejects(listenUnix(path, OWNER_ONLY), /not a socket/);
  assert.equal(await Deno.readTextFile(path), "data");
});

Deno.test("unix listener removes only its own socket at its end", async () => {
  await using folder = await TempFolder.create();
  const path = folder.join("c.sock");
  const listener = await listenUnix(path, OWNER_ONLY);
  await Deno.remove(path);
  using _other = Deno.listen({ transport: "unix", path });
  await listener.close();
  await listener.close();
  assert.ok((await Deno.lstat(path)).isSocket);
});

Deno.test("unix listener reports a path that is too long or in no existing folder", async () => {
  await using folder = await TempFolder.create();
  await assert.rejects(listenUnix(folder.join("x".repeat(120)), OWNER_ONLY), /longer than 107/);
  await assert.rejects(listenUnix(folder.join("no/c.sock"), OWNER_ONLY), /no\/c\.sock/);
  // The longest that a client can connect to works.
  const path = folder.join("y".repeat(107 - folder.path.length - 1));
  await using _listener = await listenUnix(path, OWNER_ONLY);
  (await Deno.connect({ transport: "unix", path })).close();
});

Deno.test("unix listener's iteration ends when it closes", async () => {
  await using folder = await TempFolder.create();
  const listener = await listenUnix(folder.join("c.sock"), OWNER_ONLY);
  const iterating = (async () => {
    for await (const conn of listener) conn.close();
  })();
  await listener.close();
  await iterating;
});
