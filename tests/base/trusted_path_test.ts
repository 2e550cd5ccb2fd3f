/** Folders and files that somebody else could have tampered with. */
import assert from "node:assert/strict";
import {
  ForeignPathError,
  makeTrustedFolder,
  openOwnFile,
  type PathInfo,
  type PathReader,
  readOwnTextFile,
} from "../../lib/base/trusted_path.ts";
import { TempFolder } from "../support/temp_folder.ts";

const ME = 1000;
const STRANGER = 1001;

interface Entry {
  uid?: number;
  mode?: number;
  /** Where a link leads. */
  link?: string;
  file?: true;
}

/**
 * A file system of folders and links, owned by root unless stated otherwise; records what is
 * created.
 */
class FakePaths implements PathReader {
  readonly made: string[] = [];
  readonly #entries: Map<string, Entry>;

  constructor(entries: Record<string, Entry>) {
    this.#entries = new Map(Object.entries({ "/": {}, "/tmp": { mode: 0o1777 }, ...entries }));
  }

  lstat = (path: string): Promise<PathInfo> => {
    const entry = this.#entries.get(path);
    if (entry === undefined) return Promise.reject(new Deno.errors.NotFound(path));
    const { uid = 0, mode = 0o755, link, file = false } = entry;
    const isSymlink = link !== undefined;
    return Promise.resolve({
      isFile: file,
      isDirectory: !isSymlink && !file,
      isSymlink,
      uid,
      mode: 0o40000 | mode,
    });
  };

  readLink = (path: string): Promise<string> => Promise.resolve(this.#entries.get(path)!.link!);

  mkdir = (path: string, { mode }: { mode: number }): Promise<void> => {
    this.made.push(path);
    this.#entries.set(path, { uid: ME, mode });
    return Promise.resolve();
  };
}

async function verdict(path: string, entries: Record<string, Entry>, shared = false) {
  const reader = new FakePaths(entries);
  try {
    await makeTrustedFolder(path, { uid: ME, shared, reader });
    return reader.made.length === 0 ? "fine" : `made ${reader.made.join(" ")}`;
  } catch (error) {
    assert.ok(error instanceof ForeignPathError, `${error}`);
    assert.deepEqual(reader.made, []);
    return error.message;
  }
}

Deno.test("a missing folder is created, and so are those missing above it", async () => {
  assert.equal(
    await verdict("/tmp/receptor/foo", {}),
    "made /tmp/receptor /tmp/receptor/foo",
  );
  assert.equal(
    await verdict("/tmp/receptor/./foo/", { "/tmp/receptor": {} }),
    "made /tmp/receptor/foo",
  );
});

Deno.test("a folder of ours or root's is fine, even if its group may write to it", async () => {
  assert.equal(await verdict("/data", { "/data": { uid: ME, mode: 0o700 } }), "fine");
  assert.equal(await verdict("/data", { "/data": { mode: 0o2775 } }), "fine");
  assert.equal(await verdict("/tmp/foo", { "/tmp/foo": { uid: ME, mode: 0o770 } }), "fine");
});

Deno.test("a folder of another user is refused, wherever it is on the way", async () => {
  const stranger = { uid: STRANGER, mode: 0o700 };
  assert.equal(
    await verdict("/tmp/foo", { "/tmp/foo": stranger }),
    "/tmp/foo belongs to user 1001, not to you or root",
  );
  assert.equal(
    await verdict("/tmp/foo/bar", { "/tmp/foo": stranger, "/tmp/foo/bar": { uid: ME } }),
    "/tmp/foo/bar is not safe: /tmp/foo belongs to user 1001, not to you or root",
  );
});

Deno.test("a world-writable folder is refused, except a shared one on the way", async () => {
  assert.equal(
    await verdict("/data", { "/data": { uid: ME, mode: 0o777 } }),
    "/data may be written by everybody (mode 0777)",
  );
  assert.match(await verdict("/tmp", {}), /^\/tmp may be written by everybody \(mode 01777\)$/);
  assert.equal(await verdict("/tmp", {}, true), "fine");
  assert.match(
    await verdict("/data/foo", { "/data": { uid: ME, mode: 0o777 } }),
    /^\/data\/foo is not safe: \/data may be written by everybody/,
  );
});

Deno.test("links are followed if nobody else made them, and what they lead to is checked", async () => {
  const run = { "/run": {}, "/var": {}, "/var/run": { link: "../run" } };
  assert.equal(await verdict("/var/run/foo", run), "made /run/foo");
  assert.equal(
    await verdict("/tmp/foo/bar", { "/tmp/foo": { uid: STRANGER, link: "/etc" }, "/etc": {} }),
    "/tmp/foo/bar is not safe: /tmp/foo belongs to user 1001, not to you or root",
  );
  assert.match(
    await verdict("/data", { "/data": { uid: ME, link: "/tmp/x" }, "/tmp/x": { uid: STRANGER } }),
    /^\/data is not safe: \/tmp\/x belongs to user 1001/,
  );
  assert.match(
    await verdict("/data", { "/data": { uid: ME, link: "/tmp" } }),
    /^\/data is not safe: \/tmp may be written by everybody/,
  );
  assert.match(await verdict("/a", { "/a": { link: "a" } }), /leads through too many links/);
});

Deno.test("a file is not a folder", async () => {
  const reader = new FakePaths({ "/a": { file: true } });
  await assert.rejects(makeTrustedFolder("/a/b", { uid: ME, reader }), {
    name: "NotADirectory",
    message: "Not a directory: /a",
  });
});

Deno.test("a file is opened or created, but nothing behind a link or of another kind", async () => {
  await using folder = await TempFolder.create();
  const path = folder.join("file");
  await assert.rejects(openOwnFile(path, { read: true }), Deno.errors.NotFound);
  {
    using file = await openOwnFile(path, { append: true, create: true, mode: 0o600 });
    await file.write(new TextEncoder().encode("grüße"));
    using again = await openOwnFile(path, { append: true, create: true });
    await again.write(new TextEncoder().encode("!"));
  }
  assert.equal(await readOwnTextFile(path), "grüße!");
  assert.equal((await Deno.stat(path)).mode! & 0o777, 0o600);

  await Deno.symlink("file", folder.join("link"));
  await Deno.symlink("nothing", folder.join("dangling"));
  for (const name of ["link", "dangling"]) {
    await assert.rejects(
      openOwnFile(folder.join(name), { write: true, create: true }),
      { name: "ForeignPathError", message: `${folder.join(name)} is not a file` },
    );
  }
  await assert.rejects(openOwnFile(folder.path, { read: true }), /is not a file$/);
  assert.equal(await Deno.stat(folder.join("nothing")).catch(() => "absent"), "absent");

  await Deno.chmod(path, 0o666);
  await assert.rejects(openOwnFile(path, { read: true }), /may be written by everybody/);
});

Deno.test("if two create the same file, both get it", async () => {
  await using folder = await TempFolder.create();
  const all = await Promise.all(
    Array.from(
      { length: 20 },
      () => openOwnFile(folder.join("lock"), { write: true, create: true }),
    ),
  );
  const inodes = await Promise.all(all.map(async (file) => (await file.stat()).ino));
  for (const file of all) file.close();
  assert.equal(new Set(inodes).size, 1);
});
