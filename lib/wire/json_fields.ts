/**
 * Strict reading of JSON bodies from the mesh. Field names and their meaning are the original's; a
 * missing field reads as the zero value, as it does there.
 */
import { isNodeId, isPrintable } from "./node_id.ts";

/** A message from a neighbour that is not what its type byte says. */
export class MalformedMessage extends Error {
  override readonly name = "MalformedMessage";
}

/** A JSON object whose members have not been looked at yet. */
export type JsonFields = Record<string, unknown>;

export const MAX_UINT64 = 0xffff_ffff_ffff_ffffn;

const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * Parses UTF-8 `bytes` as one JSON object. Whole numbers beyond 2^53 become bigints, so that none
 * loses digits as a double. `what` names the message in errors.
 */
export function parseJsonFields(bytes: Uint8Array, what: string): JsonFields {
  let value: unknown;
  try {
    const text = decoder.decode(bytes);
    // Looking at each value takes ten times as long as parsing.
    value = MAY_BE_BEYOND_DOUBLES.test(text)
      ? (JSON.parse as ParseWithSource)(text, keepWholeNumbers)
      : JSON.parse(text);
  } catch (cause) {
    throw new MalformedMessage(`${what} is not JSON`, { cause });
  }
  if (!isObject(value)) throw new MalformedMessage(`${what} is not a JSON object`);
  return value;
}

/** Numbers of fewer digits are exact as doubles. */
const MAY_BE_BEYOND_DOUBLES = /\d{16}/;

/** TypeScript's library types do not yet have the third parameter of a reviver. */
type ParseWithSource = (
  text: string,
  reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
) => unknown;

function keepWholeNumbers(_key: string, value: unknown, { source }: { source?: string }): unknown {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  return source !== undefined && /^\d{16,20}$/.test(source) ? BigInt(source) : value;
}

export function isObject(value: unknown): value is JsonFields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A string of at most `maxLength` UTF-16 units; "" if missing. */
export function stringField(fields: JsonFields, name: string, maxLength: number): string {
  const value = fields[name] ?? "";
  if (typeof value !== "string" || value.length > maxLength || !value.isWellFormed()) {
    throw new MalformedMessage(`${name} must be a string of at most ${maxLength} characters`);
  }
  return value;
}

/** As `stringField`, without control characters. */
export function printableField(fields: JsonFields, name: string, maxLength: number): string {
  const value = stringField(fields, name, maxLength);
  if (!isPrintable(value)) throw new MalformedMessage(`${name} has control characters`);
  return value;
}

/** A node id; anything else is refused, "" included. */
export function nodeIdField(fields: JsonFields, name: string): string {
  const value = fields[name];
  if (typeof value !== "string" || !isNodeId(value)) {
    throw new MalformedMessage(`${name} is not a node id`);
  }
  return value;
}

/** A whole number from 0 to 2^64 - 1; 0 if missing. */
export function uint64Field(fields: JsonFields, name: string): bigint {
  const value = fields[name] ?? 0;
  const whole = typeof value === "bigint" || Number.isSafeInteger(value);
  if (whole) {
    const number = BigInt(value as bigint | number);
    if (number >= 0n && number <= MAX_UINT64) return number;
  }
  throw new MalformedMessage(`${name} must be a whole number from 0 to 2^64 - 1`);
}

/** false if missing. */
export function booleanField(fields: JsonFields, name: string): boolean {
  const value = fields[name] ?? false;
  if (typeof value !== "boolean") throw new MalformedMessage(`${name} must be true or false`);
  return value;
}
