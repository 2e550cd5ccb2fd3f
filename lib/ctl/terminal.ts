/** How receptorctl writes: text for people, bytes for pipes, errors in red. */
import { writeAll } from "../base/byte_conn.ts";
import { escapeUnprintable } from "../base/printable.ts";
import { sortedJson } from "./python_text.ts";

/** The part of `Deno.stdout` and `Deno.stderr` that is used. */
export interface Output {
  write(bytes: Uint8Array): Promise<number>;
  isTerminal(): boolean;
}

/** The reader of our output (`head`, a pager) has had enough: not an error worth reporting. */
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
   * Prints one line. Much of its text comes from elsewhere: nothing in it can end the line or
   * control the terminal.
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
    // In JSON, line breaks in texts are escaped: any that are left separate its own lines.
    return this.printLines(sortedJson(value).split("\n"));
  }

  /** Writes bytes as they are. Throws an `OutputClosedError` if nobody reads them any more. */
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

  /** Ends the line that a `^C` was echoed on, or prints an empty one. */
  endErrorLine(): Promise<void> {
    return this.explain("\n");
  }

  /** Writes a text of our own, of one or more lines, to standard error. */
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
