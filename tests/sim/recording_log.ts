/** A log that a test can look at. */
import type { Log } from "../../lib/base/log.ts";

export class RecordingLog implements Log {
  /** Level and message of each line. */
  readonly lines: string[] = [];

  error(message: string): void {
    this.lines.push(`ERROR ${message}`);
  }
  warning(message: string): void {
    this.lines.push(`WARNING ${message}`);
  }
  info(message: string): void {
    this.lines.push(`INFO ${message}`);
  }
  debug(message: string): void {
    this.lines.push(`DEBUG ${message}`);
  }

  /** Whether a line contains `text`. */
  has(text: string): boolean {
    return this.lines.some((line) => line.includes(text));
  }
}
