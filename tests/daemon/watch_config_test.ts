/** Reloads after changes of configuration files, and only after those. */
import assert from "node:assert/strict";
import { type Clock, systemClock } from "../../lib/base/clock.ts";
import { watchConfig } from "../../lib/daemon/watch_config.ts";
import { RecordingLog } from "../sim/recording_log.ts";
import { eventually } from "../support/eventually.ts";
import { TempFolder } from "../support/temp_folder.ts";

/** Only the test decides when time has passed, so that a slow machine changes nothing. */
class HeldClock implements Clock {
  #waiting: (() => void) | undefined;
  readonly now = systemClock.now;
  readonly wallTime = systemClock.wallTime;

  after(_delayMs: number, action: () => void): Disposable {
    this.#waiting = action;
    return { [Symbol.dispose]: () => this.#waiting = undefined };
  }

  /** Lets pass what the next event makes somebody wait for. */
  async pass(): Promise<void> {
    const action = await eventually(() => this.#waiting, { what: "an event" });
    this.#waiting = undefined;
    action();
  }
}

/** A watch on files, which counts its reloads. */
class Watched implements AsyncDisposable {
  readonly log = new RecordingLog();
  reloads = 0;
  #watch: AsyncDisposable | undefined;

  /** By default the files were read as they are now. */
  static async start(
    paths: readonly string[],
    { read = {}, clock = systemClock }: {
      read?: Readonly<Record<string, string>>;
      clock?: Clock;
    } = {},
  ): Promise<Watched> {
    const watched = new Watched();
    const texts = paths.map((path) => [path, read[path] ?? Deno.readTextFileSync(path)] as const);
    watched.#watch = await watchConfig(new Map(texts), {
      log: watched.log,
      clock,
      reload: () => {
        watched.reloads++;
        return Promise.resolve();
      },
    });
    return watched;
  }

  async waitForReloads(count: number): Promise<void> {
    await eventually(() => this.reloads >= count, { what: `reload ${count}` });
    assert.equal(this.reloads, count);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#watch?.[Symbol.asyncDispose]();
  }
}

Deno.test("a file that is written again is reloaded, once", async () => {
  await using folder = await TempFolder.create();
  const path = folder.join("receptor.yaml");
  await Deno.writeTextFile(path, "node: a\n");
  const clock = new HeldClock();
  await using watched = await Watched.start([path], { clock });

  // As some editors do it: in several steps.
  await Deno.writeTextFile(path, "");
  await Deno.writeTextFile(path, "node: ");
  await Deno.writeTextFile(path, "node: b\n");
  await clock.pass();
  await watched.waitForReloads(1);
  assert.match(watched.log.lines.join("\n"), /Config file changed: .*receptor\.yaml/);
});

Deno.test("a file that another replaces is reloaded, each time", async () => {
  await using folder = await TempFolder.create();
  const path = folder.join("receptor.yaml");
  await Deno.writeTextFile(path, "node: a\n");
  await using watched = await Watched.start([path]);
  for (const [index, text] of ["node: b\n", "node: c\n"].entries()) {
    await Deno.writeTextFile(folder.join("new"), text);
    await Deno.rename(folder.join("new"), path);
    await watched.waitForReloads(index + 1);
  }
});

Deno.test("a file behind links is reloaded, whichever of them is replaced", async () => {
  await using folder = await TempFolder.create();
  // As Kubernetes mounts a ConfigMap.
  for (const version of ["1", "2"]) {
    await Deno.mkdir(folder.join(version));
    await Deno.writeTextFile(folder.join(`${version}/receptor.yaml`), `node: n${version}\n`);
  }
  await Deno.symlink("1", folder.join("data"));
  await Deno.symlink("data/receptor.yaml", folder.join("receptor.yaml"));
  await using watched = await Watched.start([folder.join("receptor.yaml")]);

  await Deno.writeTextFile(folder.join("1/new"), "node: changed\n");
  await Deno.rename(folder.join("1/new"), folder.join("1/receptor.yaml"));
  await watched.waitForReloads(1);
  await Deno.symlink("2", folder.join("new"));
  await Deno.rename(folder.join("new"), folder.join("data"));
  await watched.waitForReloads(2);
});

Deno.test("a file that changed before it was watched is reloaded", async () => {
  await using folder = await TempFolder.create();
  const path = folder.join("receptor.yaml");
  await Deno.writeTextFile(path, "node: b\n");
  await using watched = await Watched.start([path], { read: { [path]: "node: a\n" } });
  await watched.waitForReloads(1);
});

Deno.test("a file that vanishes is one reload, and its return another", async () => {
  await using folder = await TempFolder.create();
  const path = folder.join("receptor.yaml");
  await Deno.writeTextFile(path, "node: a\n");
  await using watched = await Watched.start([path]);
  await Deno.remove(path);
  await watched.waitForReloads(1);
  await Deno.writeTextFile(folder.join("new"), "node: a\n");
  await Deno.rename(folder.join("new"), path);
  await watched.waitForReloads(2);
});

Deno.test("no reload follows what changes nothing", async () => {
  await using folder = await TempFolder.create();
  const path = folder.join("receptor.yaml");
  await Deno.writeTextFile(path, "node: a\n");
  const clock = new HeldClock();
  await using watched = await Watched.start([path], { clock });
  await Deno.writeTextFile(folder.join("other.yaml"), "node: b\n");
  await Deno.chmod(path, 0o600);
  await Deno.writeTextFile(path, "node: a\n");
  await Deno.utime(path, 1, 1);
  await clock.pass();
  // The next change is the first to count.
  await Deno.writeTextFile(folder.join("new"), "node: b\n");
  await Deno.rename(folder.join("new"), path);
  await clock.pass();
  await watched.waitForReloads(1);
});

Deno.test("nothing is watched without files, and an unwatchable folder is logged", async () => {
  await using none = await Watched.start([]);
  assert.deepEqual(none.log.lines, []);
  const gone = "/nonexistent/folder/receptor.yaml";
  await using watched = await Watched.start([gone], { read: { [gone]: "node: a\n" } });
  assert.match(
    watched.log.lines.join("\n"),
    /Cannot watch the configuration: .*receptorctl reload/,
  );
  assert.equal(watched.reloads, 0);
});
