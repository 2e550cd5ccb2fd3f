/**
 * Parameters that hold several values. In YAML they are lists and maps; a text that starts with
 * `[` or `{` is JSON, which is how the command line gives them.
 */
import { compileFirewall, type FirewallRule } from "../netceptor/firewall.ts";
import { printable } from "../base/printable.ts";
import { parseJsonValue, type RawValue } from "./raw_action.ts";
import { cost, ValueMismatch, type ValueType } from "./value_type.ts";

function expandJson(raw: RawValue, opening: "[" | "{", expected: string): RawValue {
  if (typeof raw !== "string" || !raw.trimStart().startsWith(opening)) return raw;
  try {
    return parseJsonValue(raw);
  } catch (cause) {
    throw new ValueMismatch(`${expected}, in valid JSON`, { cause });
  }
}

const LIST_EXPECTED = "a list of strings";

/** A list of strings: a YAML list, a JSON list, or one text; repeated, they add up. */
export const strings: ValueType<readonly string[]> = {
  label: "string, may be repeated",
  read(raw) {
    const list = expandJson(raw, "[", LIST_EXPECTED);
    if (list === null) return [];
    if (typeof list === "string") return [list];
    if (!Array.isArray(list) || !list.every((item) => typeof item === "string")) {
      throw new ValueMismatch(LIST_EXPECTED);
    }
    return list;
  },
  print: (list) => JSON.stringify(list),
  join: (first, second) => [...first, ...second],
};

/** Costs of links by the neighbour's node id. */
export const costsByNode: ValueType<Readonly<Record<string, number>>> = {
  label: "JSON dict of node id to float",
  read(raw) {
    const expected = "a map of node ids to costs, each a number above 0";
    const map = expandJson(raw, "{", expected);
    if (map === null) return {};
    if (!(map instanceof Map)) throw new ValueMismatch(expected);
    return Object.fromEntries(
      [...map as ReadonlyMap<string, RawValue>].map(([node, value]) => {
        try {
          return [node, cost.read(value)];
        } catch (cause) {
          const words = `connection cost must be positive for ${printable(node)}`;
          throw new ValueMismatch(expected, { cause, words });
        }
      }),
    );
  },
  print: (costs) => JSON.stringify(costs),
};

const RULE_ACTIONS = ["accept", "reject", "drop"] as const;
const RULE_CONDITIONS = ["fromnode", "tonode", "fromservice", "toservice"] as const;

/** Rules of the mesh's firewall, which itself checks their regular expressions. */
export const firewallRules: ValueType<readonly FirewallRule[]> = {
  label: "JSON list of rules",
  read(raw) {
    const expected = "a list of firewall rules";
    const list = expandJson(raw, "[", expected);
    if (list === null) return [];
    if (!Array.isArray(list)) throw new ValueMismatch(expected);
    const rules = list.map(readRule);
    try {
      compileFirewall(rules);
    } catch (cause) {
      if (!(cause instanceof SyntaxError)) throw cause;
      throw new ValueMismatch(`valid firewall rules (${cause.message})`, { cause });
    }
    return rules;
  },
  print: (rules) => JSON.stringify(rules),
  join: (first, second) => [...first, ...second],
};

function readRule(raw: RawValue, index: number): FirewallRule {
  const place = `firewall rule ${index + 1} to`;
  if (!(raw instanceof Map)) throw new ValueMismatch(`${place} be a map`);
  let action: FirewallRule["action"] | undefined;
  const conditions: Partial<Record<(typeof RULE_CONDITIONS)[number], string>> = {};
  for (const [writtenKey, value] of raw as ReadonlyMap<string, RawValue>) {
    const key = writtenKey.toLowerCase();
    const condition = RULE_CONDITIONS.find((known) => known === key);
    if (condition === undefined && key !== "action") {
      throw new ValueMismatch(
        `${place} have only action, ${RULE_CONDITIONS.join(", ")}, not ${JSON.stringify(key)}`,
      );
    }
    if (typeof value !== "string") throw new ValueMismatch(`${place} have text as its ${key}`);
    if (condition === undefined) {
      action = RULE_ACTIONS.find((known) => known === value.toLowerCase());
    } else if (value !== "") {
      // An empty condition is no condition, as in the original.
      conditions[condition] = value;
    }
  }
  if (action === undefined) {
    throw new ValueMismatch(`${place} have one of ${RULE_ACTIONS.join(", ")} as its action`);
  }
  return { action, ...conditions };
}

/** A map of anything, as plain objects, arrays and texts. */
export const dictionary: ValueType<Readonly<Record<string, unknown>>> = {
  label: "JSON dict with string keys",
  read(raw) {
    const map = expandJson(raw, "{", "a map");
    if (map === null) return {};
    if (!(map instanceof Map)) throw new ValueMismatch("a map");
    return toPlain(map) as Record<string, unknown>;
  },
  print: (value) => JSON.stringify(value),
};

/** `seen` keeps a value with many aliases from being built once for each. */
function toPlain(raw: RawValue, seen = new Map<RawValue, unknown>()): unknown {
  if (raw === null || typeof raw === "string") return raw;
  let plain = seen.get(raw);
  if (plain === undefined) {
    plain = raw instanceof Map
      ? Object.fromEntries([...raw].map(([key, value]) => [key, toPlain(value, seen)]))
      : (raw as readonly RawValue[]).map((item) => toPlain(item, seen));
    seen.set(raw, plain);
  }
  return plain;
}
