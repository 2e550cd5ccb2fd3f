/** The log of one container, as an API server gives it. */
import { concatBytes } from "../../../lib/base/concat_bytes.ts";

interface LogLine {
  /** RFC 3339 with nanoseconds. */
  readonly time: string;
  /** With its newline, unless it is a last line without one. */
  readonly bytes: Uint8Array;
}

const encoder = new TextEncoder();

export interface LogRequest {
  readonly timestamps: boolean;
  readonly follow: boolean;
  readonly sinceTime: string | undefined;
}

export class FakeLog {
  #lines: LogLine[] = [];
  /** How many lines rotation has taken away. */
  #dropped = 0;
  #ended = false;
  #changed = Promise.withResolvers<void>();
  #nextMs = Date.UTC(2026, 0, 1);

  /** Adds a line, one millisecond after the one before unless `time` says otherwise. */
  add(line: string | Uint8Array, time?: string): void {
    const bytes = typeof line === "string" ? encoder.encode(`${line}\n`) : line;
    this.#lines.push({ time: time ?? this.#nextTime(), bytes });
    this.#tell();
  }

  /** The oldest lines are gone, as after two rotations by the kubelet. */
  drop(count: number): void {
    this.#lines.splice(0, count);
    this.#dropped += count;
  }

  /** The container has ended. */
  end(): void {
    this.#ended = true;
    this.#tell();
  }

  /** What the server sends, line by line. */
  async *read(
    { timestamps, follow, sinceTime }: LogRequest,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const since = sinceTime === undefined ? -Infinity : Math.floor(Date.parse(sinceTime) / 1000);
    for (let at = 0;;) {
      const line = this.#lines[Math.max(0, at - this.#dropped)];
      at = Math.max(at, this.#dropped);
      if (line !== undefined) {
        at++;
        if (Math.floor(Date.parse(line.time) / 1000) < since) continue;
        yield timestamps ? concatBytes(encoder.encode(`${line.time} `), line.bytes) : line.bytes;
      } else if (this.#ended || !follow || signal.aborted) return;
      else await Promise.race([this.#changed.promise, aborted(signal)]);
    }
  }

  #nextTime(): string {
    return new Date(this.#nextMs++).toISOString().replace("Z", "000000Z");
  }

  #tell(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve()));
}
