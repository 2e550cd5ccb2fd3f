/** Reads the command line: actions, their parameters, and which files hold more of them. */
import { ConfigError, InvalidConfigError } from "./config_error.ts";
import type { Position } from "./position.ts";
import type { ConfigForm, RawAction, RawParameter } from "./raw_action.ts";

export type Request =
  | { readonly kind: "help" }
  | { readonly kind: "bash-completion" }
  | { readonly kind: "version" }
  /** Items in the order in which they take effect. */
  | {
    readonly kind: "actions";
    readonly items: readonly (RawAction | ConfigFile)[];
    /** The form of the files. */
    readonly form: ConfigForm;
  };

/** A file whose actions replace a `--config`. */
export interface ConfigFile {
  readonly path: string;
  readonly position: Position;
}

interface OpenAction extends RawAction {
  readonly parameters: RawParameter[];
}

/**
 * Reads arguments as the original does, and a few more forms: an action is `--name` or `-name` in
 * any case, `-- name` (a slip in the original's documentation that users copied) or `--name=value`;
 * what follows are its parameters, `name=value` or a bare value. A lone `--` before an action is
 * ignored. Throws an `InvalidConfigError`.
 */
export function readArguments(args: readonly string[]): Request {
  const items: (RawAction | ConfigFile)[] = [];
  const errors: ConfigError[] = [];
  // What the next value belongs to.
  let current: OpenAction | { readonly configFrom: Position } | "config-v2" | undefined;
  let form: ConfigForm = "list";
  let loneDashes = false;

  const endCurrent = () => {
    if (typeof current === "object" && "configFrom" in current) {
      errors.push(
        new ConfigError("--config needs the name of a file", { position: current.configFrom }),
      );
    }
    current = undefined;
  };
  const takeValue = (written: string, position: Position) => {
    if (current === undefined) {
      errors.push(
        new ConfigError(
          `parameter specified before command: ${JSON.stringify(written.split("=")[0])} ` +
            "(actions start with --, see --help)",
          { position },
        ),
      );
    } else if (current === "config-v2") {
      errors.push(
        new ConfigError("--config-v2 takes no value: name the file with --config", { position }),
      );
    } else if ("configFrom" in current) {
      items.push({ path: written, position });
      current = undefined;
    } else {
      current.parameters.push(readParameter(written, position));
    }
  };

  for (const [i, written] of args.entries()) {
    const position: Position = { kind: "argument", index: i + 1 };
    if (written === "--") {
      loneDashes = true;
      continue;
    }
    const dashes = /^--?/.exec(written)?.[0];
    if (dashes === undefined && !loneDashes) {
      takeValue(written, position);
      continue;
    }
    loneDashes = false;
    endCurrent();

    const [, actionName = "", value] = /^([^=]*)(?:=([^]*))?$/.exec(
      written.slice(dashes?.length ?? 0),
    )!;
    const name = actionName.toLowerCase();
    if (name === "help" || name === "h") return { kind: "help" };
    if (name === "bash-completion") return { kind: "bash-completion" };
    if (name === "config" || name === "c") {
      current = { configFrom: position };
    } else if (name === "config-v2") {
      form = "map";
      current = "config-v2";
    } else {
      current = { name, position, parameters: [] };
      items.push(current);
    }
    if (value !== undefined) takeValue(value, position);
  }
  endCurrent();
  if (errors.length > 0) throw new InvalidConfigError(errors);
  // The original has this option beside those for the file, which are then of no account.
  if (form === "map" && items.some((item) => "name" in item && item.name === "version")) {
    return { kind: "version" };
  }
  return { kind: "actions", items, form };
}

function readParameter(written: string, position: Position): RawParameter {
  const equals = written.indexOf("=");
  return equals < 0
    ? { name: undefined, value: written, position }
    : { name: written.slice(0, equals), value: written.slice(equals + 1), position };
}
