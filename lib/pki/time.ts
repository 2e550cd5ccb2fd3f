/** Times in certificates and on the command line; all as milliseconds since 1970. */
import { DerError, type DerReader, Tag } from "./der.ts";

/** RFC 5280, 4.1.2.5: both forms end in Z and have seconds. */
const UTC_TIME = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;
const GENERALIZED_TIME = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;
/** Two-digit years from here on belong to the last century. */
const FIRST_YEAR_OF_1900S = 50;

/** Reads a time element. Throws a `DerError` if it is not one. */
export function readTime(reader: DerReader): number {
  const { tag, contents } = reader.element();
  const text = new TextDecoder().decode(contents);
  const match = tag === Tag.utcTime
    ? UTC_TIME.exec(text)
    : tag === Tag.generalizedTime
    ? GENERALIZED_TIME.exec(text)
    : null;
  const [year, month, day, hour, minute, second] = match?.slice(1).map(Number) ?? [];
  if (year === undefined) throw new DerError("malformed time");
  const century = tag === Tag.generalizedTime ? 0 : year < FIRST_YEAR_OF_1900S ? 2000 : 1900;
  const time = utc(century + year, month!, day!, hour!, minute!, second!);
  if (time === undefined) throw new DerError(`no such time: ${text}`);
  return time;
}

const RFC_3339 =
  /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:[Zz]|([+-])(\d\d):(\d\d))$/;

/** Reads a time such as `2027-01-31T12:00:00Z`. Throws a `SyntaxError` naming `what`. */
export function parseRfc3339(text: string, what: string): number {
  const match = RFC_3339.exec(text);
  const [year, month, day, hour, minute, second] = match?.slice(1, 7).map(Number) ?? [];
  const local = year === undefined ? undefined : utc(year, month!, day!, hour!, minute!, second!);
  if (match === null || local === undefined) {
    throw new SyntaxError(
      `${what} ${JSON.stringify(text)} is not an RFC 3339 time such as 2027-01-31T12:00:00Z`,
    );
  }
  const [sign, hours = "0", minutes = "0"] = match.slice(7);
  const offsetMs = (Number(hours) * 60 + Number(minutes)) * 60_000;
  return sign === "-" ? local + offsetMs : local - offsetMs;
}

/** To the second, as certificates have it: `2027-01-31T12:00:00Z`. */
export function formatTime(time: number): string {
  return new Date(time).toISOString().replace(/\.\d+Z$/, "Z");
}

function utc(
  year: number,
  month: number,
  day: number,
  hour: number,
  minute: number,
  second: number,
): number | undefined {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second);
  const same = date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 &&
    date.getUTCDate() === day && date.getUTCHours() === hour &&
    date.getUTCMinutes() === minute && date.getUTCSeconds() === second;
  return same ? date.getTime() : undefined;
}
