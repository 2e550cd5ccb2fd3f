/** Members of a JSON command, each checked as it is asked for. */
import type { Fields } from "./command.ts";
import { ControlError } from "./control_error.ts";
import { explainJsonError } from "./json_error.ts";
import { refusals } from "./texts.ts";

/**
 * Objects and lists that a command may hold: the nesting that the original refuses, taken for all
 * of them, since each costs many times the two bytes that it is written in.
 */
const MAX_CONTAINERS = 10_000;
const [QUOTE, BACKSLASH, BRACE, BRACKET] = [...'"\\{['].map((char) => char.charCodeAt(0));

/** Parses a line that begins with `{`. Throws a `ControlError` in the original's words. */
export function parseFields(line: string): Fields {
  if (line.length > MAX_CONTAINERS && countContainers(line) > MAX_CONTAINERS) {
    throw new ControlError(refusals.tooManyContainers);
  }
  try {
    return JSON.parse(line) as Fields;
  } catch (cause) {
    throw new ControlError(explainJsonError(line), { cause });
  }
}

function countContainers(line: string): number {
  let count = 0;
  let inString = false;
  for (let at = 0; at < line.length; at++) {
    const char = line.charCodeAt(at);
    if (char === QUOTE) inString = !inString;
    else if (inString && char === BACKSLASH) at++;
    else if (!inString && (char === BRACE || char === BRACKET)) count++;
  }
  return count;
}

/** The member itself, never something that objects inherit. */
export function member(fields: Fields, name: string): unknown {
  return Object.hasOwn(fields, name) ? fields[name] : undefined;
}

/** A string member; `missing` and `notString` are what to say otherwise. */
export function stringMember(
  fields: Fields,
  name: string,
  missing: string = refusals.fieldMissing(name),
  notString: string = refusals.fieldNotString(name),
): string {
  const value = member(fields, name);
  if (value === undefined) throw new ControlError(missing);
  if (typeof value !== "string") throw new ControlError(notString);
  return value;
}

/** A member that counts only when it is a string, as the original treats optional ones. */
export function optionalString(fields: Fields, name: string): string {
  const value = member(fields, name);
  return typeof value === "string" ? value : "";
}

/** An integer as JSON number (its fraction is cut off, as in the original) or as a string. */
export function integerMember(fields: Fields, name: string): number {
  const value = member(fields, name);
  if (value === undefined) throw new ControlError(refusals.fieldMissing(name));
  if (typeof value === "number" && Number.isFinite(value)) return Math.trunc(value);
  if (typeof value === "string") return parseInteger(value);
  throw new ControlError(refusals.fieldNotInteger(name, JSON.stringify(value).slice(0, 100)));
}

const INT64_MAX = 2n ** 63n - 1n;

/** Reads what Go's `strconv.ParseInt(text, 10, 64)` does, with its words for what it does not. */
export function parseInteger(text: string): number {
  if (!/^[+-]?[0-9]+$/.test(text)) {
    throw new ControlError(refusals.notAnInteger(JSON.stringify(text.slice(0, 100))));
  }
  // The longest int64 has 19 digits; BigInt of a million would cost a second.
  const significant = text.replace(/^[+-]?0*/, "");
  const value = significant.length > 19 ? undefined : BigInt(text.replace(/^\+/, ""));
  if (value === undefined || value > INT64_MAX || value < -INT64_MAX - 1n) {
    throw new ControlError(refusals.integerOutOfRange(JSON.stringify(text.slice(0, 100))));
  }
  return Number(value);
}
