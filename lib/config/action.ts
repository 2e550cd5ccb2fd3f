/**
 * The form of an action's declaration. Parser, types, help, completion and the check of a reload
 * all come from it: to add an action is to declare it once.
 */
import type { Position } from "./position.ts";
import type { ValueType } from "./value_type.ts";

export interface ParameterSpec<T> {
  readonly type: ValueType<T>;
  readonly description: string;
  readonly required?: true;
  /** Must be given, but may be empty. */
  readonly mayBeEmpty?: true;
  readonly default?: T;
  /** Takes a value without `name=`; at most one in an action. */
  readonly bare?: true;
  /** No error, warning or log may show its value. */
  readonly secret?: true;
  /**
   * What the value names, such as `work type`: no two actions of a configuration may use the same
   * name for it.
   */
  readonly unique?: string;
}

/** Headings of the help, in order. */
export type Section =
  | "general"
  | "resources"
  | "backends"
  | "services"
  | "workers"
  | "certificates";

// deno-lint-ignore no-explicit-any -- the one place where parameters of all types meet
type AnyParameter = ParameterSpec<any>;

export interface ActionSpec {
  readonly name: string;
  readonly section: Section;
  readonly description: string;
  readonly parameters: Readonly<Record<string, AnyParameter>>;
  /**
   * Its keys in the map form of a configuration, the preferred one first, if they are not its name
   * (for an action of which there is one at most) or its name and an `s`.
   */
  readonly mapKeys?: readonly string[];
  /** At most one in a configuration. */
  readonly once?: true;
  /** Stands alone: it does its work and the program exits. */
  readonly exclusive?: true;
  /** A reload applies changes; those of other actions need a restart. */
  readonly reloadable?: true;
  /** Why no node starts with it, and what to use instead. Neither help nor completion shows it. */
  readonly retired?: string;
}

type ValueOf<P> = P extends { type: ValueType<infer T> }
  ? P extends { required: true } | { default: unknown } ? T : T | undefined
  : never;

/** The values of an action: those that are optional and have no default may be undefined. */
export type ConfigOf<A extends ActionSpec> = {
  readonly [K in keyof A["parameters"]]: ValueOf<A["parameters"][K]>;
};

/** One action of a configuration, ready to use. */
export interface Configured<A extends ActionSpec> {
  readonly action: A;
  readonly values: ConfigOf<A>;
  readonly position: Position;
}

/** Declares an action; exists only to have each default checked against its type. */
export function defineAction<const A extends ActionSpec>(
  action: A & {
    parameters: {
      [K in keyof A["parameters"]]: A["parameters"][K] extends { type: ValueType<infer T> }
        ? ParameterSpec<T>
        : never;
    };
  },
): A {
  return action;
}
