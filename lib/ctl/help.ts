/** Help texts, from the table. */
import type { OptionSpec } from "./options.ts";
import type { Place } from "./parse_arguments.ts";

const WIDTH = 80;
/** A left column wider than this puts its help on the next line. */
const MAX_LEFT = 30;

/** The whole help of a command. */
export function renderHelp(place: Place): string {
  const { spec } = place;
  const options = Object.values(spec.options);
  const sections = [
    usage(place),
    ...(spec.help === "" ? [] : [wrap(spec.help, 2)]),
    `Options:\n${columns([...options.map(optionRow), ["--help", "Show this message and exit."]])}`,
  ];
  if (spec.kind === "group") {
    const commands = [...spec.commands].sort((one, other) => one.name < other.name ? -1 : 1);
    sections.push(`Commands:\n${columns(commands.map(({ name, help }) => [name, help]))}`);
  }
  return `${sections.join("\n\n")}\n`;
}

/** The lines above a usage error: the right usage, and where to read more. */
export function renderUsage(place: Place): string {
  return `${usage(place)}\nTry '${place.path.join(" ")} --help' for help.\n\n`;
}

function usage({ path, spec }: Place): string {
  const words = spec.kind === "group" ? ["COMMAND [ARGS]..."] : Object.values(spec.arguments)
    .map(({ metavar, variadic }) => variadic ? `[${metavar}]...` : metavar);
  return ["Usage:", ...path, "[OPTIONS]", ...words].join(" ");
}

function optionRow(option: OptionSpec<unknown>): [string, string] {
  const names = option.short === undefined ? option.long : `${option.short}, ${option.long}`;
  const notes = [
    ...(option.env === undefined ? [] : [`env var: ${option.env}`]),
    ...(option.shownDefault === undefined ? [] : [`default: ${option.shownDefault}`]),
  ];
  const left = option.metavar === undefined ? names : `${names} ${option.metavar}`;
  return [left, option.help + (notes.length === 0 ? "" : `  [${notes.join("; ")}]`)];
}

function columns(rows: readonly [string, string][]): string {
  const left = Math.min(MAX_LEFT, Math.max(...rows.map(([name]) => name.length)));
  const indent = left + 4;
  return rows.map(([name, help]) => {
    const lines = wrap(help, indent);
    if (name.length > left) return `  ${name}\n${lines}`;
    return `  ${name.padEnd(left)}  ${lines.slice(indent)}`;
  }).join("\n");
}

/** Fills lines up to `WIDTH`, each indented by `indent` blanks. */
function wrap(text: string, indent: number): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && indent + line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line].map((content) => " ".repeat(indent) + content).join("\n");
}
