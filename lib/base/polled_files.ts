/**
 * Files whose reads may take for ever, such as terminals and network interfaces, by file descriptor:
 * one thread waits for all of them, where `Deno.FsFile` would need one for each read.
 */
import type { Libc } from "./libc.ts";

/** From the kernel's `eventpoll.h`. */
const Control = { add: 1, modify: 3 } as const;
const Event = {
  readable: 0x1,
  writable: 0x4,
  error: 0x8,
  hangUp: 0x10,
  once: 0x4000_0000,
} as const;
/** `EPOLL_CLOEXEC`, `EFD_CLOEXEC`. */
const CLOSE_ON_EXEC = 0o2000000;
/** 32 bits of events, then 64 of data; only on x86-64 are there no bytes in between. */
const EVENT_BYTES = Deno.build.arch === "x86_64" ? 12 : 16;
const DATA_AT = EVENT_BYTES - 8;
const EVENTS_AT_ONCE = 64;
/** Reads and writes of a file that follow each other at once; then others have their turn. */
const MAX_EAGER = 16;

export class PolledFiles implements AsyncDisposable {
  readonly #libc: Libc;
  readonly #epoll: number;
  /** Ends the waiting when there are no more files. */
  readonly #wake: number;
  readonly #files = new Map<number, PolledFile>();
  #polling: Promise<void> | undefined;
  #disposed = false;

  /** `libc` must outlive this. Throws a `SystemCallError` if the process has too many files open. */
  constructor(libc: Libc) {
    this.#libc = libc;
    this.#epoll = libc.check(libc.call.epoll_create1(CLOSE_ON_EXEC), "epoll_create1");
    try {
      this.#wake = libc.check(libc.call.eventfd(0, CLOSE_ON_EXEC), "eventfd");
    } catch (error) {
      libc.close(this.#epoll);
      throw error;
    }
    this.#control(Control.add, this.#wake, Event.readable);
  }

  /** Takes over `fd`, which must be in non-blocking mode; on failure it is closed. */
  adopt(fd: number): PolledFile {
    try {
      if (this.#disposed) throw new Error("the files are closed");
      this.#control(Control.add, fd, 0);
    } catch (error) {
      this.#libc.close(fd);
      throw error;
    }
    const file = new PolledFile(this.#libc, fd, {
      expect: (events) => this.#control(Control.modify, fd, events | Event.once),
      close: () => {
        this.#files.delete(fd);
        this.#libc.close(fd);
        if (this.#files.size === 0) this.#wakeUp();
      },
    });
    this.#files.set(fd, file);
    this.#polling ??= this.#poll();
    return file;
  }

  /** Closes those that are still open; resolves when nothing waits any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const file of [...this.#files.values()]) file.close();
    await this.#polling;
    this.#libc.close(this.#wake);
    this.#libc.close(this.#epoll);
  }

  /** Runs while there are files. */
  async #poll(): Promise<void> {
    const events = new Uint8Array(EVENTS_AT_ONCE * EVENT_BYTES);
    const view = new DataView(events.buffer);
    while (this.#files.size > 0) {
      // Negative when a signal came in between.
      const count = await this.#libc.call.epoll_wait(this.#epoll, events, EVENTS_AT_ONCE, -1);
      for (let at = 0; at < count * EVENT_BYTES; at += EVENT_BYTES) {
        const fd = view.getInt32(at + DATA_AT, true);
        if (fd === this.#wake) this.#libc.read(fd, new Uint8Array(8));
        else this.#files.get(fd)?.happened(view.getUint32(at, true));
      }
    }
    this.#polling = undefined;
  }

  #wakeUp(): void {
    this.#libc.write(this.#wake, new Uint8Array(BigUint64Array.of(1n).buffer));
  }

  #control(operation: number, fd: number, events: number): void {
    const event = new Uint8Array(EVENT_BYTES);
    const view = new DataView(event.buffer);
    view.setUint32(0, events, true);
    view.setInt32(DATA_AT, fd, true);
    this.#libc.check(this.#libc.call.epoll_ctl(this.#epoll, operation, fd, event), "epoll_ctl");
  }
}

/** What a file needs of those who wait for it. */
interface Owner {
  /** `happened` is to be called once, when one of `events`, an error or a hang-up is the case. */
  expect(events: number): void;
  close(): void;
}

/** One reader and one writer at a time. */
export class PolledFile {
  readonly #libc: Libc;
  readonly #fd: number;
  readonly #owner: Owner;
  #waiting: { readonly event: number; readonly resolve: () => void }[] = [];
  #eager = 0;
  #closed = false;

  constructor(libc: Libc, fd: number, owner: Owner) {
    this.#libc = libc;
    this.#fd = fd;
    this.#owner = owner;
  }

  /** Throws once it is closed: the number may then be another file's. */
  get fd(): number {
    if (this.#closed) throw new Error("the file is closed");
    return this.#fd;
  }

  /**
   * Reads at least one byte, as many as there are for one read(2); 0 at the end. Rejects with a
   * `SystemCallError`, or when the file is closed.
   */
  read(into: Uint8Array<ArrayBuffer>): Promise<number> {
    return this.#whenever(Event.readable, () => this.#libc.read(this.#fd, into));
  }

  /** Writes some of `bytes`, and resolves to how many. Rejects as `read` does. */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<number> {
    return this.#whenever(Event.writable, () => this.#libc.write(this.#fd, bytes));
  }

  /** What is waiting to be read or written rejects. May be repeated. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#owner.close();
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }

  /** For the owner: at least one of `events` is the case. */
  happened(events: number): void {
    const fitting = this.#waiting.filter(({ event }) =>
      (events & (event | Event.error | Event.hangUp)) !== 0
    );
    this.#waiting = this.#waiting.filter((one) => !fitting.includes(one));
    this.#eager = 0;
    for (const { resolve } of fitting) resolve();
    if (this.#waiting.length > 0) this.#expect();
  }

  async #whenever(event: number, attempt: () => number | undefined): Promise<number> {
    for (;;) {
      if (this.#closed) throw new Error("the file is closed");
      const count = this.#eager < MAX_EAGER ? attempt() : undefined;
      this.#eager++;
      if (count !== undefined) return count;
      await new Promise<void>((resolve) => {
        this.#waiting.push({ event, resolve });
        this.#expect();
      });
    }
  }

  #expect(): void {
    this.#owner.expect(this.#waiting.reduce((all, { event }) => all | event, 0));
  }
}
