/** Reads actions from the text of a configuration file: a YAML list of them. */
import { ConfigError, InvalidConfigError } from "./config_error.ts";
import type { Position } from "./position.ts";
import type { RawAction, RawParameter, RawValue } from "./raw_action.ts";
import { parseYaml, type YamlNode, YamlSyntaxError } from "./yaml_node.ts";

/**
 * Reads `text`, which came from `source`. Throws an `InvalidConfigError` with everything that does
 * not have the form of a configuration; what it means is not checked here.
 */
export async function readYaml(
  text: string,
  source: string,
): Promise<{ actions: RawAction[]; warnings: string[] }> {
  const positionOf = positionsIn(text, source);
  let roots: YamlNode[];
  try {
    roots = await parseYaml(text);
  } catch (cause) {
    if (!(cause instanceof YamlSyntaxError)) throw cause;
    const { reason, offset } = explain(text, cause);
    throw new InvalidConfigError([
      new ConfigError(`error loading config file: yaml: ${reason}`, {
        cause,
        position: positionOf(offset),
      }),
    ]);
  }

  const warnings: string[] = [];
  const [root, next] = roots;
  if (next) {
    // As in the original, which does not warn.
    const { message } = new ConfigError("only the first YAML document of a file is read", {
      position: positionOf(next.offset),
    });
    warnings.push(message);
  }
  if (!root || (root.kind === "scalar" && root.value === null)) return { actions: [], warnings };
  if (root.kind !== "sequence") {
    throw new InvalidConfigError([
      new ConfigError(
        "expected a list of actions (- node: …)" +
          (root.kind === "mapping"
            ? ", got a map: configuration version 2 is not supported by this version"
            : ""),
        { position: positionOf(root.offset) },
      ),
    ]);
  }

  const actions: RawAction[] = [];
  const errors: ConfigError[] = [];
  for (const item of root.items) {
    try {
      actions.push(readAction(item, positionOf));
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      errors.push(error);
    }
  }
  if (errors.length > 0) throw new InvalidConfigError(errors);
  return { actions, warnings };
}

/** Better messages for mistakes whose own messages do not help. */
function explain(
  text: string,
  { message, offset }: YamlSyntaxError,
): { reason: string; offset: number } {
  const lineStart = text.lastIndexOf("\n", offset - 1) + 1;
  const lineBefore = text.lastIndexOf("\n", lineStart - 2) + 1;
  const [lineOfError = ""] = /^.*/.exec(text.slice(lineStart))!;
  const lines = text.slice(lineBefore, lineStart) + lineOfError;
  // An error caused by a tab is reported at its end, or on the next line.
  const tab = /^[ -]*\t/m.exec(lines) ?? (/indentation/.test(message) ? /\t/.exec(lines) : null);
  if (tab !== null) {
    return {
      reason: "found character that cannot start any token: a tab, where YAML requires spaces",
      offset: lineBefore + tab.index,
    };
  }
  if (message === "deficient indentation") {
    const advice = "indent what is in brackets further than the line that they begin on";
    return { reason: `${message}: ${advice}`, offset };
  }
  return { reason: message, offset };
}

type PositionOf = (offset: number) => Position;

function readAction(item: YamlNode, positionOf: PositionOf): RawAction {
  const position = positionOf(item.offset);
  if (item.kind === "scalar" && item.value !== null) {
    return { name: item.value, position, parameters: [] };
  }
  if (item.kind !== "mapping") {
    throw new ConfigError("expected an action, such as local-only or tcp-peer: {address: …}", {
      position,
    });
  }
  const [entry, second] = item.entries;
  if (!entry) throw new ConfigError("expected an action, got an empty map", { position });
  const name = readKey(entry.key, positionOf);
  if (second) {
    throw new ConfigError(
      entry.value.kind === "scalar" && entry.value.value === null
        ? `only one action is allowed in an item of the list: ` +
          `indent the parameters of ${name} further, or start a new item`
        : "only one action is allowed in an item of the list: start a new item",
      { position: positionOf(second.key.offset), action: name },
    );
  }
  return { name, position, parameters: readParameters(name, entry.value, positionOf) };
}

function readParameters(
  action: string,
  node: YamlNode,
  positionOf: PositionOf,
): readonly RawParameter[] {
  const position = positionOf(node.offset);
  switch (node.kind) {
    case "scalar":
      return node.value === null ? [] : [{ name: undefined, value: node.value, position }];
    case "mapping":
      return node.entries.map(({ key, value }) => ({
        name: readKey(key, positionOf),
        value: toRawValue(value, positionOf),
        position: positionOf(key.offset),
      }));
    case "sequence":
      throw new ConfigError("expected parameters (a map), got a list", { position, action });
  }
}

function readKey(key: YamlNode, positionOf: PositionOf): string {
  if (key.kind === "scalar" && key.value !== null) return key.value;
  throw new ConfigError("expected a name", { position: positionOf(key.offset) });
}

/** `seen` keeps a value with many aliases from being built once for each. */
function toRawValue(
  node: YamlNode,
  positionOf: PositionOf,
  seen = new Map<YamlNode, RawValue>(),
): RawValue {
  if (node.kind === "scalar") return node.value;
  let value = seen.get(node);
  if (value === undefined) {
    value = node.kind === "sequence"
      ? node.items.map((item) => toRawValue(item, positionOf, seen))
      : new Map(
        node.entries.map(({ key, value }) => [
          readKey(key, positionOf),
          toRawValue(value, positionOf, seen),
        ]),
      );
    seen.set(node, value);
  }
  return value;
}

/** Turns offsets in `text` into positions. */
function positionsIn(text: string, source: string): PositionOf {
  const lineStarts = [0];
  for (const { index, 0: lineBreak } of text.matchAll(/\r\n?|\n/g)) {
    lineStarts.push(index + lineBreak.length);
  }
  return (offset) => {
    let low = 0;
    let high = lineStarts.length;
    while (low + 1 < high) {
      const middle = (low + high) >> 1;
      if (lineStarts[middle]! <= offset) low = middle;
      else high = middle;
    }
    return { kind: "file", source, line: low + 1, column: offset - lineStarts[low]! + 1 };
  };
}
