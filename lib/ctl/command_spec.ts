/** A command or a group of commands, as the table of receptorctl holds it. */
import type { Ctl } from "./ctl.ts";
import type { Arguments, Options, ValuesOf } from "./options.ts";

/** Does the command's work; resolves to the exit code, `undefined` for 0. */
export type Run<Values> = (ctl: Ctl, values: Values) => Promise<number | void>;

export interface CommandSpec {
  readonly kind: "command";
  readonly name: string;
  readonly help: string;
  readonly options: Options;
  readonly arguments: Arguments;
  /**
   * Loads the command's code, and only that: users feel receptorctl's start-up time on every call.
   */
  readonly load: () => Promise<Run<never>>;
}

export interface GroupSpec {
  readonly kind: "group";
  readonly name: string;
  readonly help: string;
  readonly options: Options;
  readonly commands: readonly (CommandSpec | GroupSpec)[];
}

/** Declares a command; the compiler checks that its code takes what the table parses. */
export function command<const O extends Options, const A extends Arguments>(
  spec: {
    name: string;
    help: string;
    options?: O;
    arguments?: A;
    load: () => Promise<Run<ValuesOf<O, A>>>;
  },
): CommandSpec {
  return { kind: "command", options: {}, arguments: {}, ...spec } as CommandSpec;
}

export function group(spec: Omit<GroupSpec, "kind">): GroupSpec {
  return { kind: "group", ...spec };
}
