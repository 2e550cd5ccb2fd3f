/**
 * The time in front of each line of a container's log, as the kubelet writes it: RFC 3339 with up
 * to nine digits of a second, such as `2026-11-25T11:44:58.123456789Z`, and a blank.
 */

/** When a line was written, by the clock of its node. */
export interface LogStamp {
  /** Since 1970. */
  readonly seconds: number;
  readonly nanos: number;
}

/** Longest stamp, with a zone instead of `Z` and without the blank. */
export const MAX_STAMP_LENGTH = 35;

const BLANK = 0x20;
const SECOND_LENGTH = "2026-11-25T11:44:58".length;

export function compareStamps(a: LogStamp, b: LogStamp): number {
  return a.seconds - b.seconds || a.nanos - b.nanos;
}

/** For `sinceTime`, which the server reads in whole seconds. */
export function formatSecond(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace(".000Z", "Z");
}

/**
 * Reads the stamp at the beginning of `bytes`; `length` includes the blank. Undefined if there is
 * none, and "cut" if the bytes end before that can be told.
 */
export class StampReader {
  /** Consecutive lines mostly share their second, whose text is read once. */
  readonly #secondText = new Uint8Array(SECOND_LENGTH);
  #second = Number.NaN;

  read(bytes: Uint8Array): { stamp: LogStamp; length: number } | "cut" | undefined {
    const blank = bytes.subarray(0, MAX_STAMP_LENGTH + 1).indexOf(BLANK);
    if (blank < 0) return bytes.length > MAX_STAMP_LENGTH ? undefined : "cut";
    const seconds = this.#readSecond(bytes);
    if (Number.isNaN(seconds)) return undefined;
    let nanos = 0;
    let digits = 0;
    let at = SECOND_LENGTH;
    if (bytes[at] === 0x2e) {
      for (at++; at < blank && isDigit(bytes[at]!); at++, digits++) {
        nanos = 10 * nanos + bytes[at]! - 0x30;
      }
      if (digits === 0 || digits > 9) return undefined;
    }
    const zone = this.#readZone(bytes.subarray(at, blank));
    if (zone === undefined) return undefined;
    const stamp = { seconds: seconds - zone, nanos: nanos * 10 ** (9 - digits) };
    return { stamp, length: blank + 1 };
  }

  #readSecond(bytes: Uint8Array): number {
    const known = this.#secondText;
    for (let i = 0; i < SECOND_LENGTH; i++) {
      if (bytes[i] === known[i]) continue;
      const text = latin1(bytes.subarray(0, SECOND_LENGTH));
      if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/.test(text)) return Number.NaN;
      this.#second = Date.parse(`${text}Z`) / 1000;
      if (!Number.isNaN(this.#second)) known.set(bytes.subarray(0, SECOND_LENGTH));
      else known.fill(0);
      break;
    }
    return this.#second;
  }

  /** Seconds east of Greenwich. */
  #readZone(bytes: Uint8Array): number | undefined {
    if (bytes.length === 1 && bytes[0] === 0x5a) return 0;
    const [, sign, hours, minutes] = /^([+-])(\d\d):(\d\d)$/.exec(latin1(bytes)) ?? [];
    if (sign === undefined) return undefined;
    const seconds = 3600 * Number(hours) + 60 * Number(minutes);
    return sign === "-" ? -seconds : seconds;
  }
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
