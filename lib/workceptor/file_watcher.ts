/**
 * Reports changes of files. The kernel allows each user few watches (128 inotify instances by
 * default, for all programs together), so only some of the files are watched; for the others, and
 * where watching fails, the callback is called at regular intervals.
 *
 * A watch on a file that is written all the time costs more than the writes, as each write is an
 * event. Watch quiet files, and stop at the first event.
 */
import type { Clock } from "../base/clock.ts";

/** Kernel watches at one time: well below the usual limit of 128 for all programs of a user. */
const MAX_KERNEL_WATCHES = 48;

/**
 * How often a file without a kernel watch counts as changed; too short a delay for people to
 * notice.
 */
const FALLBACK_INTERVAL_MS = 100;

export class FileWatcher {
  readonly #clock: Clock;
  readonly #maxKernelWatches: number;
  #kernelWatches = 0;

  constructor(clock: Clock, options: { maxKernelWatches?: number } = {}) {
    this.#clock = clock;
    this.#maxKernelWatches = options.maxKernelWatches ?? MAX_KERNEL_WATCHES;
  }

  /**
   * Calls `onChange` after changes to the file at `path`, possibly too often, until disposed.
   * Reading it does not count as a change.
   */
  watch(path: string, onChange: () => void): Disposable {
    if (this.#kernelWatches < this.#maxKernelWatches) {
      try {
        return this.#watchByKernel(Deno.watchFs(path, { recursive: false }), onChange);
      } catch {
        // Other programs share the limit. A file that does not exist ends up here too.
      }
    }
    return this.#watchByClock(onChange);
  }

  #watchByKernel(watcher: Deno.FsWatcher, onChange: () => void): Disposable {
    this.#kernelWatches++;
    const deliver = async () => {
      try {
        for await (const { kind } of watcher) if (kind !== "access") onChange();
      } catch {
        // The file is gone, or the watcher was closed in the middle of an event.
      }
    };
    void deliver();
    let open = true;
    return {
      [Symbol.dispose]: () => {
        if (!open) return;
        open = false;
        this.#kernelWatches--;
        watcher.close();
      },
    };
  }

  #watchByClock(onChange: () => void): Disposable {
    let timer: Disposable;
    const again = () => {
      timer = this.#clock.after(FALLBACK_INTERVAL_MS, () => {
        again();
        onChange();
      });
    };
    again();
    return { [Symbol.dispose]: () => timer[Symbol.dispose]() };
  }
}
