/**
 * The map form of a configuration: a key for each kind of action, with a map of parameters, or a
 * list of them where there may be several of the kind.
 */
import { printable } from "../base/printable.ts";
import type { ActionSpec } from "./action.ts";
import { actionsByMapKey } from "./action_table.ts";
import { ConfigError } from "./config_error.ts";
import { didYouMean } from "./nearest_name.ts";
import { describePosition, type Position } from "./position.ts";
import type { RawAction } from "./raw_action.ts";
import { type PositionOf, readKey, readParameters } from "./read_parameters.ts";
import { bool, ValueMismatch } from "./value_type.ts";
import type { YamlEntry, YamlMapping, YamlNode } from "./yaml_node.ts";

/** Says which form this is, and so nothing new to whoever has asked for it. */
const VERSION_KEY = "version";

/** Adds to `found.errors` what does not have the form of actions. */
export function readActionMap(
  { entries }: YamlMapping,
  positionOf: PositionOf,
  found: { readonly errors: ConfigError[]; readonly warnings: string[] },
): RawAction[] {
  const actions: RawAction[] = [];
  const seen = new Map<string, Position>();
  let before: ActionSpec | undefined;
  const attempt = (step: () => void) => {
    try {
      step();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      found.errors.push(error);
    }
  };
  for (const entry of entries) {
    attempt(() => {
      const key = readKey(entry.key, positionOf);
      const position = positionOf(entry.key.offset);
      checkRepeated(key, position, seen);
      if (key.toLowerCase() === VERSION_KEY) {
        found.warnings.push(...warnOfVersion(entry.value, position));
        return;
      }
      const kind = actionsByMapKey.get(key.toLowerCase());
      if (kind === undefined) throw unknownKey(key, position, before);
      before = kind.action;
      const { name } = kind.action;
      if (kind.several) {
        for (const item of itemsOf(entry.value)) {
          attempt(() => actions.push(readItem(name, item, positionOf)));
        }
      } else if (!isSwitchedOff(kind.action, entry)) {
        actions.push(readOnly(kind.action, entry, positionOf));
      }
    });
  }
  return actions;
}

function checkRepeated(key: string, position: Position, seen: Map<string, Position>): void {
  const first = seen.get(key.toLowerCase());
  if (first !== undefined) {
    throw new ConfigError(
      `${JSON.stringify(key)} is given more than once, the first is at ${describePosition(first)}`,
      { position },
    );
  }
  seen.set(key.toLowerCase(), position);
}

function warnOfVersion(value: YamlNode, position: Position): string[] {
  if (value.kind === "scalar" && (value.value === null || value.value === "2")) return [];
  const what = "version: has no effect, a configuration in this form is version 2";
  return [new ConfigError(what, { position }).message];
}

/** `before` is the last known action in front of it. */
function unknownKey(key: string, position: Position, before: ActionSpec | undefined): ConfigError {
  const hint = before !== undefined && Object.hasOwn(before.parameters, key.toLowerCase())
    ? `: it is a parameter of ${before.name}, indent it further`
    : didYouMean(key, actionsByMapKey.keys());
  return new ConfigError(`unknown config type ${printable(key)}${hint}`, { position });
}

/** As in the original, a single map stands for a list of one, and nothing for an empty list. */
function itemsOf(node: YamlNode): readonly YamlNode[] {
  if (node.kind === "sequence") return node.items;
  return node.kind === "scalar" && node.value === null ? [] : [node];
}

function readItem(action: string, item: YamlNode, positionOf: PositionOf): RawAction {
  const position = positionOf(item.offset);
  return { name: action, position, parameters: readParameters(action, item, positionOf) };
}

/** An action of which there is one, such as `node`. */
function readOnly(
  action: ActionSpec,
  { key, value }: YamlEntry,
  positionOf: PositionOf,
): RawAction {
  const { name } = action;
  const position = positionOf(key.offset);
  const parameters = switchOf(action, value) === true
    ? []
    : readParameters(name, value, positionOf);
  return { name, position, parameters };
}

function isSwitchedOff(action: ActionSpec, { value }: YamlEntry): boolean {
  return switchOf(action, value) === false;
}

/** Without a value to take, an action such as `trace` may be `true` or `false`. */
function switchOf({ parameters }: ActionSpec, node: YamlNode): boolean | undefined {
  if (node.kind !== "scalar" || node.value === null) return undefined;
  if (Object.values(parameters).some(({ bare }) => bare)) return undefined;
  try {
    return bool.read(node.value);
  } catch (error) {
    if (error instanceof ValueMismatch) return undefined;
    throw error;
  }
}
