/** The list form of a configuration: each item is an action. */
import { ConfigError } from "./config_error.ts";
import type { RawAction } from "./raw_action.ts";
import { type PositionOf, readKey, readParameters } from "./read_parameters.ts";
import type { YamlNode, YamlSequence } from "./yaml_node.ts";

/** Adds to `errors` what does not have the form of an action. */
export function readActionList(
  { items }: YamlSequence,
  positionOf: PositionOf,
  errors: ConfigError[],
): RawAction[] {
  const actions: RawAction[] = [];
  for (const item of items) {
    try {
      actions.push(readAction(item, positionOf));
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      errors.push(error);
    }
  }
  return actions;
}

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
