/**
 * Measures our nodes and the Go daemon in the same run, driven by the same client over the same
 * control protocol: `deno task bench`. Prints medians of all rounds, as a table or JSON.
 */
import { parseArgs } from "node:util";
import { folderOf, runsFromSource } from "../tests/support/peers.ts";
import { type Bench, type BenchOptions, percentile, type Subject } from "./_measure.ts";
import { controlPing } from "./control_ping.ts";
import { idleMemory, startToReady } from "./start.ts";
import { submitResult } from "./submit_result.ts";
import { workResults } from "./work_results.ts";

const BENCHES: readonly Bench[] = [
  startToReady,
  idleMemory,
  controlPing,
  submitResult,
  workResults,
];

const HELP = `Usage: deno task bench [options]

  --json          print JSON instead of a table
  --only=<text>   only what has this in its name
  --rounds=<n>    rounds of each, after one to warm up (default 7)
  --size=<MB>     output of the unit whose results are timed (default 500)

RECEPTOR_PEERS names the folder of the Go daemon; without it only ours is measured.
RECEPTOR_TEST_SOURCE=1 measures ours from source and not dist/receptor.`;

interface Summary {
  p50: number;
  p90: number;
  rounds: number;
}

interface Result {
  name: string;
  unit: string;
  better: string;
  go?: Summary;
  ours?: Summary;
  empty?: Summary;
  /** Ours divided by Go's. */
  ratio?: number;
}

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

async function measure(
  bench: Bench,
  subjects: readonly Subject[],
  options: BenchOptions,
): Promise<Result> {
  const result: Result = { name: bench.name, unit: bench.unit, better: bench.better };
  for (const subject of subjects) {
    const values = await bench.measure(subject, options);
    if (values === undefined) continue;
    result[subject] = {
      p50: percentile(values, 0.5),
      p90: percentile(values, 0.9),
      rounds: values.length,
    };
  }
  if (result.go && result.ours) result.ratio = result.ours.p50 / result.go.p50;
  return result;
}

function number(summary: Summary | undefined): string {
  return summary === undefined ? "" : Number(summary.p50.toPrecision(3)).toString();
}

function row(cells: readonly string[]): string {
  const [name, ...rest] = cells as [string, ...string[]];
  return [name.padEnd(32), ...rest.map((cell) => cell.padStart(12))].join("");
}

function tableRow(result: Result): string {
  const verdict = result.ratio === undefined ? "" : `${Number(result.ratio.toPrecision(2))}x`;
  const { name, unit, go, ours, empty } = result;
  return row([name, unit, number(go), number(ours), verdict, number(empty)]);
}

const { values: flags } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    only: { type: "string", default: "" },
    rounds: { type: "string", default: "7" },
    size: { type: "string", default: "500" },
    help: { type: "boolean", default: false },
  },
});
if (flags.help) {
  say(HELP);
  Deno.exit(0);
}
const [rounds, size] = [Number(flags.rounds), Number(flags.size)];
if (!(rounds >= 1 && size > 0)) throw new RangeError("--rounds and --size must be above zero");
const options: BenchOptions = { rounds, resultBytes: Math.round(size * 1e6) };
const subjects: Subject[] = folderOf("RECEPTOR_PEERS") === undefined ? [] : ["go"];
subjects.push("ours", "empty");

if (!flags.json) say(row(["", "", "Go", "ours", "ours/Go", "empty Deno"]));
const results: Result[] = [];
for (const bench of BENCHES) {
  if (!bench.name.includes(flags.only)) continue;
  results.push(await measure(bench, subjects, options));
  if (!flags.json) say(tableRow(results.at(-1)!));
}
if (flags.json) {
  const from = runsFromSource() ? "source" : "dist/receptor";
  const machine = { cpus: navigator.hardwareConcurrency, ...Deno.build, deno: Deno.version.deno };
  say(JSON.stringify({ machine, from, sizeMB: size, results }, null, 2));
}
