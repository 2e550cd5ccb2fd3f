/** Reads a command line against the table: options of a group first, then the command's own. */
import { nearestName } from "../config/nearest_name.ts";
import type { CommandSpec, GroupSpec } from "./command_spec.ts";
import { UsageError } from "./ctl_error.ts";
import type { Arguments, Options, OptionSpec } from "./options.ts";

/** The words that led to a command, `receptorctl` first, and the command. */
export interface Place {
  readonly path: readonly string[];
  readonly spec: CommandSpec | GroupSpec;
}

export type Parsed =
  /** `isAsked`: because of `--help`, and not because a command is missing. */
  | { kind: "help"; place: Place; isAsked: boolean }
  /** `problem` is what is wrong with the words after `place`. */
  | { kind: "wrong"; place: Place; problem: UsageError }
  | {
    kind: "command";
    place: Place;
    spec: CommandSpec;
    /** Values of the options before the command. */
    global: Record<string, unknown>;
    values: Record<string, unknown>;
  };

/**
 * `env` gives the environment's value of an option that has a variable. A message
 * about a wrong name suggests the nearest right one.
 */
export function parseArguments(
  root: GroupSpec,
  words: readonly string[],
  env: (name: string) => string | undefined,
): Parsed {
  const global: Record<string, unknown> = {};
  let place: Place = { path: [root.name], spec: root };
  let rest = words;
  try {
    while (true) {
      const { path, spec } = place;
      const isGroup = spec.kind === "group";
      const scan = scanOptions(spec.options, rest, env, { stopAtWord: isGroup });
      if (scan.help) return { kind: "help", place, isAsked: true };
      if (!isGroup) {
        const values = { ...scan.values, ...takeArguments(spec.arguments, scan.words) };
        return { kind: "command", place, spec, global, values };
      }
      Object.assign(global, scan.values);
      const [name, ...others] = scan.words;
      if (name === undefined) return { kind: "help", place, isAsked: false };
      place = { path: [...path, name], spec: findCommand(spec, name) };
      rest = others;
    }
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return { kind: "wrong", place, problem: error };
  }
}

function findCommand(group: GroupSpec, name: string): CommandSpec | GroupSpec {
  const found = group.commands.find((command) => command.name === name);
  if (found !== undefined) return found;
  const names = group.commands.map((command) => command.name);
  throw new UsageError(`No such command '${name}'.${suggestion(name, names)}`);
}

interface Scan {
  help: boolean;
  values: Record<string, unknown>;
  words: string[];
}

function scanOptions(
  options: Options,
  words: readonly string[],
  env: (name: string) => string | undefined,
  { stopAtWord }: { stopAtWord: boolean },
): Scan {
  const named = Object.entries(options);
  const scan: Scan = { help: false, values: {}, words: [] };
  for (const [name, option] of named) {
    const text = option.env === undefined ? undefined : env(option.env);
    scan.values[name] = text ? option.take(option.initial, text) : option.initial;
  }
  const seen = new Set<string>();
  const take = ([name, option]: [string, OptionSpec<unknown>], text: string) => {
    const before = seen.has(name) ? scan.values[name] : option.initial;
    seen.add(name);
    scan.values[name] = option.take(before, text);
  };
  const find = (written: string): [string, OptionSpec<unknown>] => {
    const found = named.find(([, option]) => option.long === written || option.short === written);
    if (found !== undefined) return found;
    const hint = suggestion(written, named.map(([, option]) => option.long));
    throw new UsageError(`No such option: ${written}${hint}`);
  };

  const left = [...words];
  const value = (written: string): string => {
    const text = left.shift();
    if (text === undefined) throw new UsageError(`Option '${written}' requires an argument.`);
    return text;
  };
  while (left.length > 0) {
    const word = left.shift()!;
    if (word === "--") {
      scan.words.push(...left);
      break;
    }
    if (word === "--help") return { ...scan, help: true };
    if (word.startsWith("--")) {
      const equals = word.indexOf("=");
      const written = equals === -1 ? word : word.slice(0, equals);
      const found = find(written);
      if (found[1].metavar === undefined) {
        if (equals !== -1) throw new UsageError(`Option '${written}' does not take a value.`);
        take(found, "");
      } else {
        take(found, equals === -1 ? value(written) : word.slice(equals + 1));
      }
    } else if (word.startsWith("-") && word !== "-") {
      // Several flags may share a dash; the first option that takes a value gets the rest of the
      // word.
      for (let at = 1; at < word.length; at++) {
        const found = find(`-${word[at]}`);
        if (found[1].metavar === undefined) {
          take(found, "");
          continue;
        }
        take(found, at + 1 < word.length ? word.slice(at + 1) : value(`-${word[at]}`));
        break;
      }
    } else if (stopAtWord) {
      scan.words.push(word, ...left);
      break;
    } else {
      scan.words.push(word);
    }
  }
  return scan;
}

function takeArguments(specs: Arguments, words: readonly string[]): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  const left = [...words];
  for (const [name, spec] of Object.entries(specs)) {
    if (spec.variadic) {
      values[name] = left.splice(0);
      continue;
    }
    const word = left.shift();
    if (word === undefined) throw new UsageError(`Missing argument '${spec.metavar}'.`);
    values[name] = word;
  }
  if (left.length > 0) {
    const plural = left.length > 1 ? "s" : "";
    throw new UsageError(`Got unexpected extra argument${plural} (${left.join(" ")})`);
  }
  return values;
}

/** " Did you mean …?" if one of `names` is near enough for a typing error. */
function suggestion(written: string, names: readonly string[]): string {
  const near = nearestName(written, names);
  return near === undefined ? "" : ` Did you mean ${near}?`;
}
