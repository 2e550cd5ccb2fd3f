/** A whole configuration, read and checked. */
import type { ActionSpec, Configured } from "./action.ts";
import { ConfigError, InvalidConfigError } from "./config_error.ts";

export class Config {
  /**
   * @param actions In the order in which they were written, command line and files together.
   * @param nodeId As given, or made from the host name.
   * @param warnings Complete messages about what is tolerated but probably not meant.
   */
  constructor(
    readonly actions: readonly Configured<ActionSpec>[],
    readonly nodeId: string,
    readonly warnings: readonly string[],
  ) {}

  /** The actions of one kind, in order. */
  all<A extends ActionSpec>(action: A): Configured<A>[] {
    return this.actions.filter((configured) => configured.action === action) as Configured<A>[];
  }

  /** The first action of a kind: the only one, if it may be given only once. */
  find<A extends ActionSpec>(action: A): Configured<A> | undefined {
    return this.actions.find(({ action: candidate }) => candidate === action) as
      | Configured<A>
      | undefined;
  }
}

/** Refuses actions with which no node starts any more. Throws an `InvalidConfigError`. */
export function refuseRetired(config: Config): void {
  const errors = config.actions.flatMap(({ action, position }) =>
    action.retired === undefined
      ? []
      : [new ConfigError(action.retired, { action: action.name, position })]
  );
  if (errors.length > 0) throw new InvalidConfigError(errors);
}

/**
 * Whether two actions mean the same, however they were written: this is how a reload finds out
 * which of them changed.
 */
export function sameAction(a: Configured<ActionSpec>, b: Configured<ActionSpec>): boolean {
  return a.action === b.action && sameValue(a.values, b.values);
}

/**
 * Deep equality of configuration values; the order of keys does not matter, and undefined counts as
 * absent.
 */
function sameValue(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  if (Array.isArray(a) && a.length !== (b as unknown[]).length) return false;
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  const keys = new Set([...Object.keys(left), ...Object.keys(right)]);
  return [...keys].every((key) => sameValue(left[key], right[key]));
}
