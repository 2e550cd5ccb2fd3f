/** The command line of the scoreboard. */
import { parseArgs } from "node:util";

export const HELP = `Usage: deno task bench [options]

  --only=ROW[,ROW]  only these rows (--list names them)
  --list            print the rows' names and what they do
  --runs=N          runs of each contender in every row, instead of the row's own number
  --quick           a little of everything, to check that all rows work (under 4 minutes)
  --json            print JSON instead of a table
  --markdown        print the table of docs/performance.md
  --from=FILE       measure nothing, print what an earlier --json wrote

RECEPTOR_PEERS names the folder of the Go daemon; without it only ours is measured. Ours is
dist/receptor, built if need be, or the sources with RECEPTOR_TEST_SOURCE=1. Progress goes to
stderr. An interrupt ends it early, and prints what was measured until then. The exit code is 1
when it was interrupted or a row of ours failed.`;

export interface Options {
  /** Names of rows; empty for all. */
  readonly only: readonly string[];
  /** Replaces the rows' own numbers. */
  readonly runs: number | undefined;
  readonly quick: boolean;
  readonly print: "text" | "json" | "markdown" | "list" | "help";
  /** File of an earlier run. */
  readonly from: string | undefined;
}

/** Throws an error for the user if the arguments make no sense. */
export function readOptions(args: readonly string[]): Options {
  const { values: flags } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string", default: "" },
      list: { type: "boolean", default: false },
      runs: { type: "string" },
      quick: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      markdown: { type: "boolean", default: false },
      from: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  const runs = flags.runs === undefined ? undefined : Number(flags.runs);
  if (runs !== undefined && !(Number.isInteger(runs) && runs >= 1)) {
    throw new RangeError(`--runs must be a whole number above zero, got ${flags.runs}`);
  }
  const formats = (["help", "list", "json", "markdown"] as const).filter((format) => flags[format]);
  if (formats.length > 1) throw new RangeError(`--${formats.join(" and --")} exclude each other`);
  return {
    only: flags.only.split(",").filter((name) => name !== ""),
    runs,
    quick: flags.quick,
    print: formats[0] ?? "text",
    from: flags.from,
  };
}
