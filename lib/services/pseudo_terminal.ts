/** A pseudo terminal, as seen from the side that is not the program's. */
import { Errno, type Libc, OpenFlag, SystemCallError } from "../base/libc.ts";
import type { PolledFile, PolledFiles } from "../base/polled_files.ts";

/** In characters; 0 for what is not known. At most 65,535. */
export interface WindowSize {
  readonly rows: number;
  readonly columns: number;
}

/** Of ioctl(2), from the kernel's `asm-generic/ioctls.h`. */
const GET_ATTRIBUTES = 0x5401;
const SET_WINDOW_SIZE = 0x5414;

/** The kernel's `struct termios`: four words of flags, one byte, then the special characters. */
const TERMIOS_BYTES = 64;
const LOCAL_FLAGS_AT = 12;
const CANONICAL = 0x2;
const CHARACTERS_AT = 17;
const END_OF_FILE = 4;
/** Ctrl-D. */
const USUAL_END_OF_FILE = 4;

const LONGEST_PATH = 64;

export class PseudoTerminal {
  /** The device that a program opens. */
  readonly path: string;
  readonly #libc: Libc;
  readonly #file: PolledFile;

  private constructor(libc: Libc, file: PolledFile, path: string) {
    this.#libc = libc;
    this.#file = file;
    this.path = path;
  }

  /** Throws a `SystemCallError` if the system has no more of them. */
  static open(libc: Libc, files: PolledFiles): PseudoTerminal {
    const { readWrite, noControllingTerminal, nonBlocking, closeOnExec } = OpenFlag;
    const flags = readWrite | noControllingTerminal | nonBlocking | closeOnExec;
    const file = files.adopt(libc.check(libc.call.posix_openpt(flags), "open /dev/ptmx"));
    try {
      libc.check(libc.call.grantpt(file.fd), "grantpt");
      libc.check(libc.call.unlockpt(file.fd), "unlockpt");
      const name = new Uint8Array(LONGEST_PATH);
      // Returns the error's number.
      libc.check(-libc.call.ptsname_r(file.fd, name, BigInt(name.length)), "ptsname_r");
      const path = new TextDecoder().decode(name.subarray(0, name.indexOf(0)));
      return new PseudoTerminal(libc, file, path);
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /** The programs on it are told of a change. */
  resize({ rows, columns }: WindowSize): void {
    // The last two would be in pixels.
    const size = Uint16Array.of(rows, columns, 0, 0);
    this.#libc.ioctl(this.#file.fd, SET_WINDOW_SIZE, new Uint8Array(size.buffer), "set size");
  }

  /**
   * What programs have written: at least one byte; `null` when all of that is read and no program has
   * the terminal open any more. Rejects once it is closed.
   */
  async read(into: Uint8Array<ArrayBuffer>): Promise<number | null> {
    try {
      return await this.#file.read(into);
    } catch (error) {
      if (error instanceof SystemCallError && error.errno === Errno.inputOutput) return null;
      throw error;
    }
  }

  /** Types; waits while programs do not read. Rejects once it is closed, or nobody has it open. */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<number> {
    return this.#file.write(bytes);
  }

  /** The character that stands for the end of the input, usually Ctrl-D. */
  endOfInput(): number {
    const attributes = new Uint8Array(TERMIOS_BYTES);
    this.#libc.ioctl(this.#file.fd, GET_ATTRIBUTES, attributes, "get attributes");
    const flags = new DataView(attributes.buffer).getUint32(LOCAL_FLAGS_AT, true);
    // Without line editing this place may hold another parameter.
    return flags & CANONICAL ? attributes[CHARACTERS_AT + END_OF_FILE]! : USUAL_END_OF_FILE;
  }

  /** Hangs up: the processes that it controls get a SIGHUP. May be repeated. */
  close(): void {
    this.#file.close();
  }
}
