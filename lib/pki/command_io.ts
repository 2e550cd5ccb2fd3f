/** What the certificate commands need of their surroundings. */
import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";

export interface CommandDeps {
  readonly clock: Clock;
  readonly random: Random;
}

/** The terminal of a command that asks before it acts. */
export interface CommandIo {
  /** Writes `text` as it is, without adding a newline. */
  write(text: string): void;
  /** The next line without its newline; null at the end of the input. */
  readLine(): Promise<string | null>;
}
