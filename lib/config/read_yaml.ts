/** Reads actions from the text of a configuration file, in either form. */
import { ConfigError, InvalidConfigError } from "./config_error.ts";
import type { ConfigForm, RawAction } from "./raw_action.ts";
import { readActionList } from "./read_action_list.ts";
import { readActionMap } from "./read_action_map.ts";
import type { PositionOf } from "./read_parameters.ts";
import { parseYaml, type YamlNode, YamlSyntaxError } from "./yaml_node.ts";

/**
 * Reads `text`, which came from `source`. Throws an `InvalidConfigError` with everything that does
 * not have the form of a configuration; what it means is not checked here.
 */
export async function readYaml(
  text: string,
  source: string,
  form: ConfigForm = "list",
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

  const errors: ConfigError[] = [];
  const actions: RawAction[] = [];
  if (form === "list" && root.kind === "sequence") {
    actions.push(...readActionList(root, positionOf, errors));
  } else if (form === "map" && root.kind === "mapping") {
    actions.push(...readActionMap(root, positionOf, { errors, warnings }));
  } else {
    errors.push(new ConfigError(otherForm(root, form), { position: positionOf(root.offset) }));
  }
  if (errors.length > 0) throw new InvalidConfigError(errors);
  return { actions, warnings };
}

/** What is wrong with a file that does not have the form that was asked for. */
function otherForm({ kind }: YamlNode, wanted: ConfigForm): string {
  if (wanted === "list") {
    return "expected a list of actions (- node: …)" +
      (kind === "mapping" ? ", got a map, which is for version 2: add --config-v2" : "");
  }
  return "expected a map of actions (node: …)" +
    (kind === "sequence" ? ", got a list, which is for version 1: leave out --config-v2" : "");
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
