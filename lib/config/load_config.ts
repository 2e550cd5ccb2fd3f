/** From the program's arguments to a checked configuration; files are read here. */
import { fileReasonOf } from "../base/error_message.ts";
import { printable } from "../base/printable.ts";
import { isLocalhost } from "../wire/node_id.ts";
import type { ActionSpec, Configured } from "./action.ts";
import { node, version } from "./actions/general.ts";
import { checkActions } from "./check_actions.ts";
import { Config } from "./config.ts";
import { ConfigError, InvalidConfigError } from "./config_error.ts";
import { decodeText, UnreadableText } from "./decode_text.ts";
import type { ConfigForm, RawAction } from "./raw_action.ts";
import { type ConfigFile, readArguments } from "./read_arguments.ts";
import { nodeId } from "./value_type.ts";

/** Read when there are no arguments at all, if it exists. */
export const DEFAULT_CONFIG_PATH = "/etc/receptor/receptor.conf";

/** Read with `--config-v2` if no file is named, in the user's home folder. */
const DEFAULT_MAP_FILE = "receptor.yaml";

/** What the program was asked to do. */
export type Command =
  | { readonly kind: "help" }
  | { readonly kind: "bash-completion" }
  | { readonly kind: "version" }
  | {
    readonly kind: "run";
    readonly config: Config;
    /** Files to reload after a change, with the text that was read, by path. */
    readonly watched: ReadonlyMap<string, string>;
  };

/** The machine, as far as a configuration needs it; tests replace it. */
export interface ConfigHost {
  readFile(path: string): Promise<Uint8Array>;
  hostname(): string;
  /** The user's home folder, if there is one. */
  home(): string | undefined;
}

export const systemConfigHost: ConfigHost = {
  readFile: (path) => Deno.readFile(path),
  hostname: () => Deno.hostname(),
  home: () => Deno.env.get("HOME"),
};

/**
 * Reads the command line and every file that it names. Changes nothing, so that a reload can call
 * it again with the same arguments to learn what a new configuration would be. Throws an
 * `InvalidConfigError` with all mistakes that could be found together.
 */
export async function loadCommand(
  args: readonly string[],
  host: ConfigHost = systemConfigHost,
): Promise<Command> {
  const written: RawAction[] = [];
  const warnings: string[] = [];
  const watched = new Map<string, string>();
  let form: ConfigForm = "list";
  const read = async (file: Pick<ConfigFile, "path"> & Partial<ConfigFile>) => {
    const content = await readConfigFile(file, host);
    if (content === undefined) return false;
    if (form === "map") watched.set(file.path, content);
    // The YAML reader and its library are loaded only when there is something to read.
    const { readYaml } = await import("./read_yaml.ts");
    const found = await readYaml(content, file.path, form);
    written.push(...found.actions);
    warnings.push(...found.warnings);
    return true;
  };

  if (args.length === 0) {
    if (!await read({ path: DEFAULT_CONFIG_PATH })) return { kind: "help" };
  } else {
    const request = readArguments(args);
    if (request.kind !== "actions") return request;
    form = request.form;
    for (const item of request.items) {
      if ("path" in item) await read(item);
      else written.push(item);
    }
    const fileNamed = request.items.some((item) => "path" in item);
    if (form === "map" && !fileNamed && !await read({ path: defaultMapPath(host) })) {
      throw noDefaultMap();
    }
  }

  const checked = checkActions(written, form);
  if (checked.actions[0]?.action === version) return { kind: "version" };
  const config = new Config(
    checked.actions,
    checked.actions.length > 0 && checked.actions.every(({ action }) => action.exclusive)
      ? ""
      : nodeIdOf(checked.actions, host),
    [...warnings, ...checked.warnings],
  );
  return { kind: "run", config, watched };
}

function defaultMapPath(host: ConfigHost): string {
  const home = host.home();
  if (home === undefined || home === "") throw noDefaultMap();
  return `${home}/${DEFAULT_MAP_FILE}`;
}

function noDefaultMap(): InvalidConfigError {
  return new InvalidConfigError([
    new ConfigError(
      `Could not locate config file (default is $HOME/${DEFAULT_MAP_FILE}): name one with --config`,
    ),
  ]);
}

/**
 * The text of a configuration file, or undefined if it was not asked for (has no position) and does
 * not exist. Throws an `InvalidConfigError`.
 */
export async function readConfigFile(
  { path, position }: Pick<ConfigFile, "path"> & Partial<ConfigFile>,
  host: ConfigHost = systemConfigHost,
): Promise<string | undefined> {
  try {
    return decodeText(await host.readFile(path));
  } catch (cause) {
    if (cause instanceof UnreadableText) {
      throw new InvalidConfigError([
        new ConfigError(`error loading config file: ${path}: ${cause.message}`, {
          cause,
          position,
        }),
      ]);
    }
    const missing = cause instanceof Deno.errors.NotFound;
    if (missing && position === undefined) return undefined;
    throw new InvalidConfigError([
      new ConfigError(`error loading config file: open ${path}: ${fileReasonOf(cause)}`, {
        cause,
        position,
      }),
    ]);
  }
}

/** The id that the `node` action gives, else the host name. Throws an `InvalidConfigError`. */
function nodeIdOf(actions: readonly Configured<ActionSpec>[], host: ConfigHost): string {
  const configured = actions.find(({ action }) => action === node);
  const given = configured?.values["id"] as string | undefined;
  if (given !== undefined) return given;
  const name = host.hostname();
  const refuse = (why: string, cause?: unknown): never => {
    throw new InvalidConfigError([
      new ConfigError(
        `no node ID specified and local host name is ${printable(name)}${why}: ` +
          "choose an id with --node id=NAME, or node: {id: NAME} in a file",
        { position: configured?.position, action: node.name, parameter: "id", cause },
      ),
    ]);
  };
  if (isLocalhost(name.split(".", 1)[0]!)) return refuse("");
  try {
    return nodeId.read(name);
  } catch (cause) {
    return refuse(", which cannot be one", cause);
  }
}
