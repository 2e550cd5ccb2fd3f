/**
 * Where we are in a container's log, which is read in pieces: a read may break off at any byte, the
 * next one repeats what the server has of the last seconds, and the kubelet moves the log to
 * another file, which no read reaches, when it has grown enough. Pure: bytes in, output out.
 *
 * With time stamps, the server writes
 *
 *     <stamp> <line>\n<stamp> <line>\n
 *
 * and none in the middle of a line, however the runtime cut the line up for its file (16 KiB for
 * each record). Only a read from some second on may begin in the middle of a line, without a stamp.
 * So each line that began later than all before it can be found again by its stamp: it is our
 * anchor, and what we have is so many bytes of output after the anchor's beginning.
 */
import { concatBytes } from "../../base/concat_bytes.ts";
import { compareStamps, formatSecond, type LogStamp, StampReader } from "./log_stamp.ts";

/** A line whose stamp is later than that of any line before it. */
export interface LogAnchor extends LogStamp {
  /** Bytes of output in front of the line. */
  readonly offset: number;
}

export interface LogPosition {
  /** Undefined if there is no line yet since `base`. */
  readonly anchor: LogAnchor | undefined;
  /** Bytes of output in front of the first line of the log file; more than 0 after a rotation. */
  readonly base: number;
  /** Bytes of output that we have. */
  readonly taken: number;
}

export const LOG_START: LogPosition = { anchor: undefined, base: 0, taken: 0 };

/**
 * How much earlier than its anchor a read begins: lines of two streams are stamped before they
 * queue for the file, and clocks are set back, so a later line may have an earlier stamp.
 */
const SINCE_MARGIN_S = 2;

export type LogOutput =
  /** What we should have already: to be compared with the output from `offset` on. */
  | { readonly is: "known"; readonly bytes: Uint8Array; readonly offset: number }
  | { readonly is: "new"; readonly bytes: Uint8Array };

/** What a read has come to. */
export type ReadState =
  /** Looking for the anchor. */
  | { readonly is: "seeking" }
  /** The next `left` bytes of output are known. */
  | { readonly is: "repeating"; readonly left: number }
  | { readonly is: "taking" }
  /**
   * The anchor is not in what was read, but may be in the whole log, which is to be read next: in a
   * read from some second on, the rest of a line may look like a stamp, or a stamp be missing.
   */
  | { readonly is: "missed" }
  /** Nor is it in the whole log: the kubelet has rotated it. `first` is of its first line. */
  | { readonly is: "rotated"; readonly first: LogStamp | undefined }
  /** Instead of a line came a text of the server's own, mostly about what went wrong. */
  | { readonly is: "foreign"; readonly text: string };

const NEWLINE = 0x0a;
const NOTHING = new Uint8Array();

export class LogCursor {
  readonly #stamps = new StampReader();
  /** Without stamps there is no anchor, and each read is from the beginning of the log. */
  readonly #stamped: boolean;
  #anchor: LogAnchor | undefined;
  #base: number;
  #taken: number;
  #state: ReadState = { is: "seeking" };
  /** The beginning of a line that was cut in its stamp. */
  #cut: Uint8Array = NOTHING;
  #atLineStart = true;
  /** This read is of the whole log, in which each line begins with a stamp. */
  #isWhole = false;

  constructor(
    { anchor, base, taken }: LogPosition = LOG_START,
    { stamped = true }: { stamped?: boolean } = {},
  ) {
    this.#stamped = stamped;
    this.#anchor = anchor;
    this.#base = base;
    this.#taken = taken;
  }

  get position(): LogPosition {
    return { anchor: this.#anchor, base: this.#base, taken: this.#taken };
  }

  get state(): ReadState {
    return this.#state;
  }

  /** Nothing more can be had of this read. */
  get isOver(): boolean {
    const { is } = this.#state;
    return is === "missed" || is === "rotated" || is === "foreign";
  }

  /** Begins a new read. Undefined: from the beginning of the log. */
  begin(): { sinceTime: string | undefined } {
    const anchor = this.#anchor;
    this.#cut = NOTHING;
    this.#atLineStart = true;
    this.#isWhole = anchor === undefined || this.#state.is === "missed";
    if (anchor === undefined) {
      this.#repeatFrom(this.#base);
      return { sinceTime: undefined };
    }
    this.#state = { is: "seeking" };
    if (this.#isWhole) return { sinceTime: undefined };
    return { sinceTime: formatSecond(anchor.seconds - SINCE_MARGIN_S) };
  }

  /**
   * From the next read on, the log is that in a new file, which continues what we have: the last
   * anchor is gone.
   */
  startNewFile(): void {
    this.#anchor = undefined;
    this.#base = this.#taken;
  }

  /** The output in the next bytes of the read; the views share memory with `chunk`. */
  push(chunk: Uint8Array): LogOutput[] {
    const outputs: LogOutput[] = [];
    let rest = chunk;
    if (this.#cut.length > 0) {
      rest = concatBytes(this.#cut, chunk);
      this.#cut = NOTHING;
    }
    while (rest.length > 0) {
      if (this.isOver) break;
      if (this.#atLineStart && this.#stamped) {
        const length = this.#enterLine(rest);
        if (length === "cut") {
          this.#cut = rest.slice();
          break;
        }
        rest = rest.subarray(length);
        continue;
      }
      const newline = rest.indexOf(NEWLINE);
      const end = newline < 0 ? rest.length : newline + 1;
      this.#passOn(rest.subarray(0, end), outputs);
      if (newline >= 0) this.#atLineStart = true;
      rest = rest.subarray(end);
    }
    return outputs;
  }

  /** The server has said that this is all: what does not come now is not there. */
  end(): void {
    if (this.#state.is === "seeking") {
      this.#miss(undefined);
    } else if (this.#cut.length > 0) {
      this.#state = { is: "foreign", text: new TextDecoder().decode(this.#cut) };
    }
  }

  /** How much of `bytes` is the line's stamp. */
  #enterLine(bytes: Uint8Array): number | "cut" {
    const read = this.#stamps.read(bytes);
    if (read === "cut") return read;
    this.#atLineStart = false;
    if (this.#state.is === "seeking") {
      if (read !== undefined) this.#seek(read.stamp);
      return read?.length ?? 0;
    }
    if (read === undefined) {
      const text = new TextDecoder().decode(bytes.subarray(0, 256)).split("\n", 1)[0]!;
      this.#state = { is: "foreign", text };
      return 0;
    }
    const { stamp, length } = read;
    if (this.#anchor === undefined || compareStamps(stamp, this.#anchor) > 0) {
      this.#anchor = { ...stamp, offset: this.#at };
    }
    return length;
  }

  /** Lines in front of the anchor have earlier stamps. */
  #seek(stamp: LogStamp): void {
    const anchor = this.#anchor!;
    const order = compareStamps(stamp, anchor);
    if (order === 0) this.#repeatFrom(anchor.offset);
    else if (order > 0) this.#miss(stamp);
  }

  #miss(first: LogStamp | undefined): void {
    this.#state = this.#isWhole ? { is: "rotated", first } : { is: "missed" };
  }

  /** Bytes of output in front of what comes next. */
  get #at(): number {
    return this.#taken - (this.#state.is === "repeating" ? this.#state.left : 0);
  }

  #repeatFrom(offset: number): void {
    const left = this.#taken - offset;
    this.#state = left > 0 ? { is: "repeating", left } : { is: "taking" };
  }

  #passOn(bytes: Uint8Array, outputs: LogOutput[]): void {
    let fresh = bytes;
    if (this.#state.is === "repeating") {
      const { left } = this.#state;
      const known = bytes.subarray(0, left);
      outputs.push({ is: "known", bytes: known, offset: this.#taken - left });
      this.#state = left > known.length
        ? { is: "repeating", left: left - known.length }
        : { is: "taking" };
      fresh = bytes.subarray(known.length);
    }
    if (this.#state.is !== "taking" || fresh.length === 0) return;
    outputs.push({ is: "new", bytes: fresh });
    this.#taken += fresh.length;
  }
}
