/** The scoreboard as a table, in plain text and in Markdown. */
import type { FigureReport, RowReport, Summary } from "./report.ts";

const HEAD = ["", "unit", "Go", "ours", "better", "limit"] as const;
type Cells = readonly string[];

/** One row as lines of text: its title, its figures, its errors. */
export function textRow(row: RowReport): string {
  const lines = row.figures.map((figure) => {
    const [label, ...rest] = cells(figure);
    return `  ${label!.padEnd(42)}${rest.slice(0, 4).map((cell) => cell.padStart(12)).join("")}  ${
      rest[4]
    }`;
  });
  const errors = Object.entries(row.errors).map(([who, why]) => `  ${who}: ${why}`);
  const [before, after] = row.load.map((load) => load.toFixed(1));
  return [
    `${row.name}: ${row.title}  [${Math.round(row.seconds)} s, load ${before} → ${after}]`,
    ...lines,
    ...errors,
  ].join("\n").replaceAll("`", "");
}

/** The heading above the figures of `textRow`. */
export function textHead(): string {
  const [, ...titles] = HEAD;
  return " ".repeat(44) + titles.slice(0, 4).map((title) => title.padStart(12)).join("") +
    `  ${titles[4]}`;
}

/** How busy the machine was; a load above its number of cores says that figures are noisy. */
export function loadLine(rows: readonly RowReport[]): string {
  const loads = rows.flatMap(({ load }) => load);
  return `load ${Math.min(...loads).toFixed(1)} to ${Math.max(...loads).toFixed(1)}`;
}

/** All rows as one table, formatted as `deno fmt` would. */
export function markdownTable(rows: readonly RowReport[]): string {
  const body = rows.flatMap((row) => [
    [`**${row.title}**`, "", "", "", "", ""],
    ...row.figures.map((figure) => cells(figure, row.errors)),
  ]);
  const all: Cells[] = [HEAD, ...body];
  const widths = HEAD.map((_, column) => Math.max(3, ...all.map((line) => line[column]!.length)));
  const line = (cells: Cells) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |`;
  return [line(HEAD), line(widths.map((width) => "-".repeat(width))), ...body.map(line)].join("\n");
}

function cells(figure: FigureReport, errors: Readonly<Record<string, string>> = {}): Cells {
  const { label, unit, go, ours, ratio, limits } = figure;
  const cell = (who: string, summary: Summary | undefined) =>
    summary ? number(summary.median) : who in errors ? "failed" : "";
  const limit = Object.entries(limits).map(([name, summary]) =>
    `${number(summary.median)} (${name})`
  );
  const times = ratio === undefined ? "" : number(ratio, 2);
  return [label, unit, cell("go", go), cell("ours", ours), times, limit.join(", ")];
}

/** Three digits are all that is meaningful; thousands are not rounded to hundreds. */
function number(value: number, digits = 3): string {
  return value >= 1000
    ? Math.round(value).toLocaleString("en")
    : String(Number(value.toPrecision(digits)));
}
