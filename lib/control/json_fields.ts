/** Members of a JSON command, each checked as it is asked for. */
import { messageOf } from "../base/error_message.ts";
import type { Fields } from "./command.ts";
import { ControlError } from "./control_error.ts";
import { MAX_JSON_VALUES } from "./limits.ts";
import { refusals } from "./texts.ts";

const [QUOTE, BACKSLASH, COMMA, BRACE, BRACKET] = [...'"\\,{['].map((char) => char.charCodeAt(0));

/** Parses a line that begins with `{`. Throws a `ControlError` that says what is wrong with it. */
export function parseFields(line: string): Fields {
  if (line.length > MAX_JSON_VALUES && !hasFewValues(line)) {
    throw new ControlError(refusals.tooManyValues(MAX_JSON_VALUES));
  }
  try {
    return JSON.parse(line) as Fields;
  } catch (cause) {
    throw new ControlError(refusals.notJson(messageOf(cause)), { cause });
  }
}

/** Counts what begins a value: an object, a list, or the comma before the next one. */
function hasFewValues(line: string): boolean {
  let count = 0;
  let inString = false;
  for (let at = 0; at < line.length; at++) {
    const char = line.charCodeAt(at);
    if (char === QUOTE) inString = !inString;
    else if (inString) at += char === BACKSLASH ? 1 : 0;
    else if (char === COMMA || char === BRACE || char === BRACKET) {
      if (++count > MAX_JSON_VALUES) return false;
    }
  }
  return true;
}

/** The object's own member, never an inherited one. */
export function member(fields: Fields, name: string): unknown {
  return Object.hasOwn(fields, name) ? fields[name] : undefined;
}

/** A string member; `missing` and `notString` are the errors otherwise. */
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

/** A member that counts only if it is a string, as the original treats optional ones. */
export function optionalString(fields: Fields, name: string): string {
  const value = member(fields, name);
  return typeof value === "string" ? value : "";
}

/** An integer as a JSON number (its fraction is cut off, as in the original) or as a string. */
export function integerMember(fields: Fields, name: string): number {
  const value = member(fields, name);
  if (value === undefined) throw new ControlError(refusals.fieldMissing(name));
  if (typeof value === "number" && Number.isFinite(value)) return Math.trunc(value);
  if (typeof value === "string") return parseInteger(value);
  throw new ControlError(refusals.fieldNotInteger(name, JSON.stringify(value).slice(0, 100)));
}

const INT64_MAX = 2n ** 63n - 1n;

/** Reads what Go's `strconv.ParseInt(text, 10, 64)` does, and refuses the rest in its words. */
export function parseInteger(text: string): number {
  if (!/^[+-]?[0-9]+$/.test(text)) {
    throw new ControlError(refusals.notAnInteger(JSON.stringify(text.slice(0, 100))));
  }
  // The longest int64 has 19 digits; a BigInt of a million digits would cost a second.
  const significant = text.replace(/^[+-]?0*/, "");
  const value = significant.length > 19 ? undefined : BigInt(text.replace(/^\+/, ""));
  if (value === undefined || value > INT64_MAX || value < -INT64_MAX - 1n) {
    throw new ControlError(refusals.integerOutOfRange(JSON.stringify(text.slice(0, 100))));
  }
  return Number(value);
}
