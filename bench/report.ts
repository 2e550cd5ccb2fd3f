/** A row's measurements, summed up for readers and for tracking. */
import type { Outcome } from "./measure_row.ts";
import type { Figure, Row } from "./row.ts";
import { median, percentile } from "./statistics.ts";

/** One contender's values of one figure over all runs. */
export interface Summary {
  readonly median: number;
  readonly least: number;
  readonly most: number;
  readonly values: readonly number[];
}

export interface FigureReport extends Figure {
  readonly ours?: Summary;
  readonly go?: Summary;
  /** How many times better ours is than Go's; below 1 it is worse. */
  readonly ratio?: number;
  /** By name of the limit. */
  readonly limits: Readonly<Record<string, Summary>>;
}

export interface RowReport {
  readonly name: string;
  readonly title: string;
  readonly figures: readonly FigureReport[];
  /** Why a contender was dropped, by its name. */
  readonly errors: Readonly<Record<string, string>>;
  /** The machine's load before the row and after it. */
  readonly load: readonly [before: number, after: number];
  readonly seconds: number;
}

/** Sums up what `measureRow` gave. */
export function reportRow(
  row: Row,
  outcomes: readonly Outcome[],
  { load, seconds }: Pick<RowReport, "load" | "seconds">,
): RowReport {
  const errors: Record<string, string> = {};
  for (const { contender, error } of outcomes) {
    if (error !== undefined) errors[contender] = error;
  }
  const figures = row.figures.map((figure) => reportFigure(figure, outcomes));
  return { name: row.name, title: row.title, figures, errors, load, seconds };
}

function reportFigure(figure: Figure, outcomes: readonly Outcome[]): FigureReport {
  const summaries = new Map<string, Summary>();
  for (const { contender, samples } of outcomes) {
    const values = samples.flatMap((sample) => sample[figure.key] ?? []);
    if (values.length > 0) summaries.set(contender, summarize(values));
  }
  const { ours, go, ...limits } = Object.fromEntries(summaries);
  const ratio = timesBetter(figure, ours?.median, go?.median);
  return {
    ...figure,
    ...(ours ? { ours } : {}),
    ...(go ? { go } : {}),
    ...(ratio === undefined ? {} : { ratio }),
    limits,
  };
}

function summarize(values: readonly number[]): Summary {
  return {
    median: median(values),
    least: percentile(values, 0),
    most: percentile(values, 1),
    values,
  };
}

/** Nothing can be said about a value that is missing or, as a count of ticks may be, zero. */
function timesBetter(
  { better }: Figure,
  ours: number | undefined,
  go: number | undefined,
): number | undefined {
  if (!ours || !go) return undefined;
  return better === "lower" ? go / ours : ours / go;
}
