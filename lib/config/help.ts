/** The text of `--help`, from the table of actions. */
import type { ActionSpec, ParameterSpec, Section } from "./action.ts";
import { actionTable } from "./action_table.ts";
import { DEFAULT_CONFIG_PATH } from "./load_config.ts";

const SECTION_TITLES: Readonly<Record<Section, string>> = {
  general: "",
  resources: "Commands that configure resources used by other commands:",
  backends: "Commands to configure back-ends, which connect Receptor nodes together:",
  services: "Commands to configure services that run on top of the Receptor mesh:",
  workers: "Commands to configure workers that process units of work:",
  certificates: "Commands to generate certificates and run a certificate authority:",
};

const INTRODUCTION = `\
Usage: receptor [--<action> [<param>=<value> ...] ...]

Without arguments, ${DEFAULT_CONFIG_PATH} is read. A parameter name in
brackets may be left out. A value that starts with [ or { is JSON.

   --help: Show this help

   --config <filename>: Load additional config options from a YAML file

   --config-v2: The file is a map (node: ..., tcp-peers: [...]), is watched, and
         changes of its backends are applied as it is written. Without --config
         it is $HOME/receptor.yaml.

   --bash-completion: Generate a completion script for the bash shell
         Run ". <(receptor --bash-completion)" to activate now
`;

/**
 * Lists every action, in the original's order and form, except for those that it no longer has
 * itself.
 */
export function helpText(): string {
  const parts = [INTRODUCTION];
  for (const [section, title] of Object.entries(SECTION_TITLES)) {
    const actions = actionTable.filter((action) => action.section === section && !action.retired);
    if (title !== "") parts.push(`${title}\n`);
    parts.push(...actions.map(actionHelp));
  }
  return parts.join("\n");
}

function actionHelp(action: ActionSpec): string {
  const lines = [`   --${action.name}: ${action.description}`];
  for (const [name, spec] of Object.entries(action.parameters)) {
    lines.push(parameterHelp(name, spec));
  }
  return lines.join("\n") + "\n";
}

function parameterHelp(name: string, spec: ParameterSpec<unknown>): string {
  const notes = [
    ...(spec.required ? ["required"] : []),
    ...(spec.default !== undefined ? [`default: ${spec.type.print(spec.default)}`] : []),
  ];
  const key = spec.bare ? `[${name}=]` : `${name}=`;
  const note = notes.length > 0 ? ` (${notes.join(", ")})` : "";
  return `      ${key}<${spec.type.label}>: ${spec.description}${note}`;
}
