/**
 * How options and arguments are declared: one table entry gives the parser, its types and the help.
 * No library, since users would feel its load time on every call.
 */
import { UsageError } from "./ctl_error.ts";

/** An option whose parsed value is a `T`. */
export interface OptionSpec<T> {
  readonly long: string;
  readonly short?: string | undefined;
  readonly help: string;
  /** The name of the value in the help; undefined for a flag, which takes none. */
  readonly metavar?: string | undefined;
  readonly env?: string | undefined;
  /** Shown in the help after "default:". */
  readonly shownDefault?: string | undefined;
  readonly initial: T;
  /** The value after one more occurrence; `text` is "" for a flag. Throws a `UsageError`. */
  readonly take: (before: T, text: string) => T;
}

/** A positional argument: one word, or all remaining ones. */
export interface ArgumentSpec<T extends string | string[]> {
  readonly metavar: string;
  readonly variadic: T extends string ? false : true;
}

interface Common {
  short?: string;
  env?: string;
}

export function flag(long: string, help: string, common: Common = {}): OptionSpec<boolean> {
  return { long, help, ...common, initial: false, take: () => true };
}

/** A text, "" if it is not given. */
export function text(long: string, help: string, common: Common = {}): OptionSpec<string> {
  return { long, help, ...common, metavar: "TEXT", initial: "", take: (_, value) => value };
}

/** May be given several times. */
export function texts(long: string, help: string, common: Common = {}): OptionSpec<string[]> {
  return {
    long,
    help,
    ...common,
    metavar: "TEXT",
    initial: [],
    take: (before, value) => [...before, value],
  };
}

export function integer(long: string, initial: number, help: string): OptionSpec<number> {
  return {
    long,
    help,
    metavar: "INTEGER",
    initial,
    shownDefault: String(initial),
    take(_, value) {
      if (/^[+-]?\d+$/.test(value.trim())) return Number(value);
      throw new UsageError(`'${value}' is not a valid integer.`);
    },
  };
}

export function float(long: string, initial: number, help: string): OptionSpec<number> {
  return {
    long,
    help,
    metavar: "FLOAT",
    initial,
    shownDefault: initial.toFixed(1),
    take(_, value) {
      const number = Number(value);
      if (value.trim() !== "" && Number.isFinite(number)) return number;
      throw new UsageError(`'${value}' is not a valid float.`);
    },
  };
}

const TRUE = ["1", "true", "t", "yes", "y", "on"];
const FALSE = ["0", "false", "f", "no", "n", "off"];

export function boolean(long: string, help: string): OptionSpec<boolean> {
  return {
    long,
    help,
    metavar: "BOOLEAN",
    initial: false,
    shownDefault: "False",
    take(_, value) {
      const word = value.trim().toLowerCase();
      if (TRUE.includes(word)) return true;
      if (FALSE.includes(word)) return false;
      throw new UsageError(`'${value}' is not a valid boolean.`);
    },
  };
}

export function argument(metavar: string): ArgumentSpec<string> {
  return { metavar, variadic: false };
}

/** All remaining words, possibly none. */
export function restArguments(metavar: string): ArgumentSpec<string[]> {
  return { metavar, variadic: true };
}

// deno-lint-ignore no-explicit-any -- the parser handles options of every type alike
export type Options = Readonly<Record<string, OptionSpec<any>>>;
// deno-lint-ignore no-explicit-any -- as above
export type Arguments = Readonly<Record<string, ArgumentSpec<any>>>;

/** What a command receives: its options and arguments by their names in the table. */
export type ValuesOf<O extends Options, A extends Arguments> =
  & { [Name in keyof O]: O[Name] extends OptionSpec<infer T> ? T : never }
  & { [Name in keyof A]: A[Name] extends ArgumentSpec<infer T> ? T : never };
