/**
 * Actions as they were written, before the table gives them meaning: what the argument reader and
 * the YAML reader both produce.
 */
import type { Position } from "./position.ts";

/**
 * A value as written. Scalars keep their source text, so that each type decides for itself what
 * `0660`, `yes` or `1.10` means, whatever YAML would make of them.
 */
export type RawValue = string | null | readonly RawValue[] | ReadonlyMap<string, RawValue>;

/**
 * The two forms of a file: a list of actions, or (version 2 in the original, `--config-v2`) a map
 * from kinds of actions to their parameters.
 */
export type ConfigForm = "list" | "map";

export interface RawParameter {
  /** Undefined for a bare value, as in `--log-level debug`. */
  readonly name: string | undefined;
  readonly value: RawValue;
  readonly position: Position;
}

export interface RawAction {
  readonly name: string;
  readonly position: Position;
  readonly parameters: readonly RawParameter[];
}

/** Turns JSON text into a raw value. Throws a `SyntaxError`. */
export function parseJsonValue(text: string): RawValue {
  return fromJson(JSON.parse(text));
}

function fromJson(value: unknown): RawValue {
  if (value === null || typeof value === "string") return value;
  if (Array.isArray(value)) return value.map(fromJson);
  if (typeof value === "object") {
    return new Map(Object.entries(value).map(([key, item]) => [key, fromJson(item)]));
  }
  return String(value);
}
