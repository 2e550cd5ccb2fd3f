/**
 * Tells when files in a folder change. The kernel gives a user few watches (128 inotify instances
 * by default, for all programs), so only some folders are watched by it; beyond those, and where
 * watching fails, the callback comes by the clock.
 */
import type { Clock } from "../base/clock.ts";

/** Watches by the kernel at one time, well below the usual limit of 128 for all of a user. */
const MAX_KERNEL_WATCHES = 48;

/** How often an unwatched folder is taken for changed: what a person takes for at once. */
const FALLBACK_INTERVAL_MS = 100;

export class FolderWatcher {
  readonly #clock: Clock;
  readonly #maxKernelWatches: number;
  #kernelWatches = 0;

  constructor(clock: Clock, options: { maxKernelWatches?: number } = {}) {
    this.#clock = clock;
    this.#maxKernelWatches = options.maxKernelWatches ?? MAX_KERNEL_WATCHES;
  }

  /**
   * Calls `onChange` after changes to files directly in `folder`, possibly too often, until
   * disposed. Reading does not count as a change.
   */
  watch(folder: string, onChange: () => void): Disposable {
    if (this.#kernelWatches < this.#maxKernelWatches) {
      try {
        return this.#watchByKernel(Deno.watchFs(folder, { recursive: false }), onChange);
      } catch {
        // The limit is the user's, not ours alone; a folder just removed ends here, too.
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
        // The folder is gone, or the watcher was closed in the middle of an event.
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
