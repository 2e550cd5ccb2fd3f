/** What both forms of a configuration share: the parameters of one action, and names. */
import { ConfigError } from "./config_error.ts";
import type { Position } from "./position.ts";
import type { RawParameter, RawValue } from "./raw_action.ts";
import type { YamlNode } from "./yaml_node.ts";

/** The position of an offset in the text. */
export type PositionOf = (offset: number) => Position;

/** The parameters of `action` that `node` holds. Throws a `ConfigError`. */
export function readParameters(
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

/** The name that a key stands for. Throws a `ConfigError`. */
export function readKey(key: YamlNode, positionOf: PositionOf): string {
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
