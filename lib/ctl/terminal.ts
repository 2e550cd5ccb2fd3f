/** What receptorctl writes, and how: text for people, bytes for pipes, errors in red. */
import { writeAll } from "../base/byte_conn.ts";
import { escapeUnprintable } from "../base/printable.ts";
import { sortedJson } from "./python_text.ts";

/** The part of `Deno.stdout` and `Deno.stderr` that is used. */
export interface Output {
  write(bytes: Uint8Array): Promise<number>;
  isTerminal(): boolean;
}

/** Whoever read our output (`head`, a pager) has enough: not an error worth words. */
export class OutputClosedError extends Error {
  override readonly name = "OutputClosedError";
}

const RED = 31;
const MAGENTA = 35;

export class Terminal {
  readonly #out: Output;
  readonly #err: Output;

  constructor(out: Output, err: Output) {
    this.#out = out;
    this.#err = err;
  }

  /**
   * Prints one line. Much of what it says comes from elsewhere: nothing in it ends the line or
   * commands the terminal.
   */
  print(line = ""): Promise<void> {
    return this.printLines([line]);
  }

  /** Prints several lines, each as `print` does. */
  printLines(lines: readonly string[]): Promise<void> {
    return this.write(encodeLines(lines));
  }

  /** Prints a value as the original's client does. */
  printJson(value: unknown): Promise<void> {
    // No line break of a text is left in it: those between its lines are its own.
    return this.printLines(sortedJson(value).split("\n"));
  }

  /** Writes bytes as they are. Throws an `OutputClosedError` when nobody reads them any more. */
  async write(bytes: Uint8Array): Promise<void> {
    try {
      await writeAll(this.#out, bytes);
    } catch (error) {
      if (error instanceof Deno.errors.BrokenPipe) {
        throw new OutputClosedError("standard output was closed", { cause: error });
      }
      throw error;
    }
  }

  error(message: string): Promise<void> {
    return this.#complain(RED, `ERROR: ${message}`);
  }

  warning(message: string): Promise<void> {
    return this.#complain(MAGENTA, `Warning: ${message}`);
  }

  /** Ends the line that a `^C` stands on, or leaves one empty. */
  endErrorLine(): Promise<void> {
    return this.explain("\n");
  }

  /** Writes a text of our own, of any number of lines, to standard error. */
  explain(text: string): Promise<void> {
    return writeAll(this.#err, new TextEncoder().encode(text));
  }

  #complain(color: number, message: string): Promise<void> {
    const line = escapeUnprintable(message);
    return this.explain(this.#err.isTerminal() ? `\x1b[${color}m${line}\x1b[0m\n` : `${line}\n`);
  }
}

function encodeLines(lines: readonly string[]): Uint8Array {
  return new TextEncoder().encode(lines.map((line) => `${escapeUnprintable(line)}\n`).join(""));
}
