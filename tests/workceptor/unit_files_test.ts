/** Small parts below the units: ids, records, durable files, watches, delays. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { replaceFile } from "../../lib/base/durable_file.ts";
import { systemClock } from "../../lib/base/clock.ts";
import { systemRandom } from "../../lib/base/random.ts";
import { UnitState } from "../../lib/control/work_service.ts";
import { ChangeNotifier } from "../../lib/workceptor/change_notifier.ts";
import { FileWatcher } from "../../lib/workceptor/file_watcher.ts";
import { RetryDelay } from "../../lib/workceptor/remote/retry_delay.ts";
import {
  companionName,
  isAcceptableUnitId,
  isUnitFolderName,
  MAX_UNIT_ID_LENGTH,
  newUnitId,
  nodeFolderName,
} from "../../lib/workceptor/unit_id.ts";
import { decodeRecord, encodeRecord } from "../../lib/workceptor/unit_record.ts";
import { temporaryFolder } from "./_harness.ts";

Deno.test("new unit ids are the node's letters and digits and eight random ones", () => {
  assert.match(newUnitId("n1.example-host", systemRandom), /^n1examplehost[A-Za-z0-9]{8}$/);
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 600 }), (nodeId) => {
    const id = newUnitId(nodeId, systemRandom);
    assert.ok(isAcceptableUnitId(id) && isUnitFolderName(id));
    assert.ok(id.length <= MAX_UNIT_ID_LENGTH);
  }));
});

Deno.test("no node id leaves the data folder, and no two share a folder", () => {
  const anyNodeId = fc.string({ unit: "binary", minLength: 1 });
  fc.assert(fc.property(anyNodeId, anyNodeId, (one, other) => {
    const name = nodeFolderName(one);
    assert.ok(isUnitFolderName(name), name);
    if (one !== other) assert.notEqual(name, nodeFolderName(other));
  }));
  assert.equal(nodeFolderName("n1.example-host"), "n1.example-host");
});

Deno.test("the folder of every node id, and what is next to it, has a name that fits", () => {
  const bytes = (name: string) => new TextEncoder().encode(name).length;
  const longId = fc.string({ unit: "binary", minLength: 200, maxLength: 255 });
  fc.assert(fc.property(longId, (nodeId) => {
    const name = nodeFolderName(nodeId);
    const names = [name, companionName(name, ".lock"), companionName(name, ".staging")];
    assert.equal(new Set(names).size, 3);
    for (const each of names) assert.ok(bytes(each) <= 255, each);
  }));
  const longest = "n".repeat(255);
  assert.equal(nodeFolderName(longest), longest);
  assert.equal(companionName("n1", ".staging"), ".n1.staging");
  assert.notEqual(nodeFolderName(`${longest}/`), nodeFolderName(`${longest}%`));
});

Deno.test("a record is read back as written", () => {
  fc.assert(fc.property(
    fc.record({
      State: fc.constantFrom(...Object.values(UnitState)),
      Detail: fc.string({ unit: "binary" }),
      StdoutSize: fc.nat(),
      WorkType: fc.string(),
      ExtraData: fc.jsonValue(),
    }),
    (record) => {
      const line = encodeRecord(record);
      assert.equal(line.indexOf("\n"), line.length - 1);
      assert.equal(encodeRecord(decodeRecord(line)), line);
    },
  ));
});

Deno.test("no text crashes the reader of records", () => {
  const texts = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.jsonValue().map((value) => JSON.stringify(value)),
    fc.record({ State: fc.jsonValue(), Detail: fc.jsonValue(), StdoutSize: fc.jsonValue() })
      .map((value) => JSON.stringify(value)),
  );
  fc.assert(fc.property(texts, (text) => {
    try {
      decodeRecord(text);
    } catch (error) {
      assert.ok(error instanceof SyntaxError, String(error));
    }
  }));
});

Deno.test("a replaced file is private and complete, and leaves nothing beside it", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/status`;
  await Deno.writeTextFile(`${path}.new`, "left behind by a crash, and longer than what comes");
  for (const text of ["one", "two, which is longer", "3"]) {
    await replaceFile(path, text);
    assert.equal(await Deno.readTextFile(path), text);
  }
  assert.equal((await Deno.stat(path)).mode! & 0o777, 0o600);
  assert.deepEqual((await Array.fromAsync(Deno.readDir(folder.path))).map(({ name }) => name), [
    "status",
  ]);
});

Deno.test("a reader of a file that is being replaced never sees a part", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/status`;
  await replaceFile(path, "a".repeat(5000));
  let done = false;
  const writing = (async () => {
    for (let i = 0; i < 40; i++) await replaceFile(path, "ab"[i % 2]!.repeat(5000));
    done = true;
  })();
  while (!done) assert.match(await Deno.readTextFile(path), /^(a{5000}|b{5000})$/);
  await writing;
});

Deno.test("a replacement that fails leaves the old file", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/status`;
  await replaceFile(path, "old");
  await Deno.mkdir(`${path}.new`);
  await assert.rejects(replaceFile(path, "new"));
  assert.equal(await Deno.readTextFile(path), "old");
});

for (const [how, maxKernelWatches] of [["the kernel", 1], ["the clock", 0]] as const) {
  Deno.test(`a change of a file is told by ${how}`, async () => {
    await using folder = await temporaryFolder();
    const path = `${folder.path}/file`;
    await Deno.writeTextFile(path, "");
    const watcher = new FileWatcher(systemClock, { maxKernelWatches });
    const changed = Promise.withResolvers<void>();
    using _watch = watcher.watch(path, () => changed.resolve());
    await Deno.writeTextFile(path, "x", { append: true });
    await changed.promise;
  });
}

Deno.test("watches beyond the limit, and of files that do not exist, use the clock", async () => {
  await using folder = await temporaryFolder();
  const watcher = new FileWatcher(systemClock, { maxKernelWatches: 2 });
  const calls = Array.from({ length: 5 }, () => Promise.withResolvers<void>());
  using watches = new DisposableStack();
  for (const [i, { resolve }] of calls.entries()) {
    const path = i === 0 ? `${folder.path}/absent` : `${folder.path}/${i}`;
    if (i > 0) await Deno.writeTextFile(path, "");
    watches.use(watcher.watch(path, resolve));
  }
  for (let i = 1; i < 5; i++) await Deno.writeTextFile(`${folder.path}/${i}`, "x");
  await Promise.all(calls.map(({ promise }) => promise));
});

Deno.test("a notifier wakes all waiters, and none twice", async () => {
  const notifier = new ChangeNotifier();
  const options = { clock: systemClock, timeoutMs: 60_000, signal: new AbortController().signal };
  const { version } = notifier;
  const waiting = [notifier.past(version, options), notifier.past(version, options)];
  notifier.notify();
  await Promise.all(waiting);
  await notifier.past(version, options);
  await notifier.past(notifier.version, { ...options, timeoutMs: 1 });
  await notifier.past(notifier.version, { ...options, signal: AbortSignal.abort() });
});

Deno.test("retries wait one second at first, then half as long again each time, at most a minute", () => {
  const delay = new RetryDelay(systemRandom);
  let expected = 1_000;
  for (let i = 0; i < 20; i++) {
    const ms = delay.next();
    assert.ok(
      ms >= expected * 0.9 && ms <= Math.min(expected * 1.1, 60_000),
      `${ms} of ${expected}`,
    );
    expected = Math.min(expected * 1.5, 60_000);
  }
  delay.reset();
  assert.ok(delay.next() <= 1_100);
});
