/** What receptorctl writes, and how: text for people, bytes for pipes, errors in red. */
import { writeAll } from "../base/byte_conn.ts";

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

  /** Prints `text` and a newline. */
  print(text = ""): Promise<void> {
    return this.write(new TextEncoder().encode(`${text}\n`));
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

  /** Ends the line that a `^C` stands on. */
  endErrorLine(): Promise<void> {
    return writeAll(this.#err, new TextEncoder().encode("\n"));
  }

  #complain(color: number, message: string): Promise<void> {
    const text = this.#err.isTerminal() ? `\x1b[${color}m${message}\x1b[0m` : message;
    return writeAll(this.#err, new TextEncoder().encode(`${text}\n`));
  }
}
