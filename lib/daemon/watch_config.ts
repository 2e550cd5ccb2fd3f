/** Reloads the configuration after changes of its files. */
import { basename, dirname } from "node:path";
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/error_message.ts";
import type { Log } from "../base/log.ts";
import { readConfigFile } from "../config/load_config.ts";

/** A file counts as written after this long without an event; editors cause several. */
const QUIET_MS = 100;
/** A file that is written all the time is read nevertheless, this long after the first event. */
const LONGEST_WAIT_MS = 1_000;

export interface WatchConfigDeps {
  readonly log: Log;
  readonly clock: Clock;
  /** Never rejects. */
  readonly reload: () => Promise<void>;
}

/**
 * Watches files until disposed of, which waits for a reload under way. `read` has the text of each
 * as it was read, by path: if one is different already, the first reload comes before this resolves.
 * Where files cannot be watched, this is logged.
 */
export async function watchConfig(
  read: ReadonlyMap<string, string>,
  deps: WatchConfigDeps,
): Promise<AsyncDisposable> {
  if (read.size === 0) return { [Symbol.asyncDispose]: () => Promise.resolve() };
  const files = await Promise.all([...read.keys()].map(locate));
  let watcher: Deno.FsWatcher;
  try {
    // Their folders, since an editor or a deployment replaces a file by another of its name.
    const folders = new Set(files.flatMap(({ folders }) => folders));
    watcher = Deno.watchFs([...folders], { recursive: false });
  } catch (error) {
    deps.log.warning(
      `Cannot watch the configuration: ${messageOf(error)}; use receptorctl reload after changes`,
    );
    return { [Symbol.asyncDispose]: () => Promise.resolve() };
  }
  const watch = new ConfigWatch(watcher, { files, read, ...deps });
  await watch.check();
  return watch;
}

interface WatchedFile {
  readonly folders: readonly string[];
  /** Whether an event at this path may have changed the file. */
  concerns(path: string): boolean;
}

async function locate(path: string): Promise<WatchedFile> {
  const target = await Deno.realPath(path).catch(() => path);
  const link = await Deno.lstat(path).then(({ isSymlink }) => isSymlink, () => false);
  if (!link) {
    return {
      folders: [dirname(target)],
      concerns: (at) => basename(at) === basename(path),
    };
  }
  // Any link on the way may be replaced, such as those of a Kubernetes volume.
  return { folders: [dirname(path), dirname(target)], concerns: () => true };
}

interface ConfigWatchDeps extends WatchConfigDeps {
  readonly files: readonly WatchedFile[];
  readonly read: ReadonlyMap<string, string>;
}

class ConfigWatch implements AsyncDisposable {
  readonly #deps: ConfigWatchDeps;
  readonly #watcher: Deno.FsWatcher;
  readonly #delivered: Promise<void>;
  /** The text of each file that was last loaded, or that last failed to; undefined if unreadable. */
  readonly #known: Map<string, string | undefined>;
  /** Waiting for quiet since the first event, in the clock's milliseconds. */
  #settling: { readonly since: number; readonly timer: Disposable } | undefined;
  /** Checks run one after the other. */
  #checking: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(watcher: Deno.FsWatcher, deps: ConfigWatchDeps) {
    this.#watcher = watcher;
    this.#deps = deps;
    this.#known = new Map(deps.read);
    this.#delivered = this.#deliver();
  }

  /** Reloads if a file is different from what is known of it. Never rejects. */
  check(): Promise<void> {
    return this.#checking = this.#checking.then(() => this.#check());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#watcher.close();
    await this.#delivered;
    this.#settling?.timer[Symbol.dispose]();
    await this.#checking;
  }

  async #deliver(): Promise<void> {
    try {
      for await (const { kind, paths, flag } of this.#watcher) {
        // Reading a file is an event too, and `rescan` says that events were lost.
        if (kind === "access") continue;
        const { files } = this.#deps;
        const changed = paths.some((path) => files.some((file) => file.concerns(path)));
        if (changed || flag === "rescan") this.#settle();
      }
    } catch (error) {
      if (!this.#closed) {
        this.#deps.log.warning(`Watching the configuration ended: ${messageOf(error)}`);
      }
    }
  }

  #settle(): void {
    const { clock } = this.#deps;
    const now = clock.now();
    const since = this.#settling?.since ?? now;
    this.#settling?.timer[Symbol.dispose]();
    const wait = Math.max(0, Math.min(QUIET_MS, since + LONGEST_WAIT_MS - now));
    const timer = clock.after(wait, () => {
      this.#settling = undefined;
      void this.check();
    });
    this.#settling = { since, timer };
  }

  /** Compares texts: an event without a change does nothing, and a broken file is logged once. */
  async #check(): Promise<void> {
    const { log, reload } = this.#deps;
    const changed: string[] = [];
    for (const [path, before] of this.#known) {
      const now = await readConfigFile({ path }).catch(() => undefined);
      if (now === before) continue;
      this.#known.set(path, now);
      changed.push(path);
    }
    if (changed.length === 0 || this.#closed) return;
    log.info(`Config file changed: ${changed.join(", ")}`);
    await reload();
  }
}
