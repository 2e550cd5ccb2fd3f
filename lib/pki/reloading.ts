/** A value made from files, and made again when they change: certificates that get renewed. */
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/error_message.ts";
import type { Log } from "../base/log.ts";

/** There is no point in checking files more often than this, in milliseconds. */
const CHECK_INTERVAL_MS = 1000;

export interface ReloadingDeps {
  readonly clock: Clock;
  readonly log: Log;
}

export interface ReloadingOptions<T> {
  /** For the log, such as `tls-server name`. */
  readonly what: string;
  readonly files: readonly string[];
  /** Makes the value; throws if the files cannot be used. */
  readonly load: () => T;
}

/**
 * Checks its files only when asked, so nothing runs in between and nothing needs to be closed. If
 * the files cannot be used, the last good value stays in use, with one warning for each change.
 */
export class Reloading<T> {
  readonly #deps: ReloadingDeps;
  readonly #options: ReloadingOptions<T>;
  #value: T;
  #stamp: string;
  #checkedAt: number;

  /** Throws what the first `load` throws. */
  constructor(deps: ReloadingDeps, options: ReloadingOptions<T>) {
    this.#deps = deps;
    this.#options = options;
    this.#checkedAt = deps.clock.now();
    // Before loading the value, so that a change in between is seen the next time.
    this.#stamp = stampOf(options.files);
    this.#value = options.load();
  }

  /** The value of the files as they are, or were up to about a second ago. */
  current(): T {
    const now = this.#deps.clock.now();
    if (now - this.#checkedAt >= CHECK_INTERVAL_MS) {
      this.#checkedAt = now;
      const stamp = stampOf(this.#options.files);
      if (stamp !== this.#stamp) this.#reload(stamp);
    }
    return this.#value;
  }

  #reload(stamp: string): void {
    const { what, load } = this.#options;
    const { log } = this.#deps;
    this.#stamp = stamp;
    try {
      this.#value = load();
      log.info(`${what}: files changed and were read again`);
    } catch (error) {
      const reason = messageOf(error);
      log.warning(`${what}: files changed, but the old ones stay in use: ${reason}`);
    }
  }
}

/** Changes whenever one of the files does, or a symbolic link points elsewhere. */
function stampOf(files: readonly string[]): string {
  return files.map((file) => {
    try {
      const { dev, ino, size, mtime, ctime } = Deno.statSync(file);
      return [dev, ino, size, mtime?.getTime(), ctime?.getTime()].join(":");
    } catch {
      return "absent";
    }
  }).join(" ");
}
