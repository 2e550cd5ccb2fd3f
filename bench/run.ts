/**
 * The scoreboard: our nodes and the Go daemon's in the same run, taking turns, driven by the same
 * client over the same control protocol. `deno task bench --help` says how.
 */
import { messageOf } from "../lib/base/error_message.ts";
import { folderOf, runsFromSource } from "../tests/support/peers.ts";
import { say } from "../tools/say.ts";
import { buildOurs } from "./build_ours.ts";
import { describeMachine, loadNow, type Machine, machineLine } from "./machine.ts";
import { measureRow } from "./measure_row.ts";
import { HELP, type Options, readOptions } from "./options.ts";
import { reportRow, type RowReport } from "./report.ts";
import { type Kind, type Row, scaleOf } from "./row.ts";
import { selectRows } from "./rows.ts";
import { loadLine, markdownTable, textHead, textRow } from "./table.ts";

const USAGE_EXIT_CODE = 2;

/** What `--json` prints and `--from` reads. */
interface Scoreboard {
  readonly machine: Machine;
  readonly quick: boolean;
  readonly rows: readonly RowReport[];
}

function progress(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${text}\n`));
}

function fromArguments(): { options: Options; rows: readonly Row[] } {
  try {
    const options = readOptions(Deno.args);
    return { options, rows: selectRows(scaleOf(options.quick), options.only) };
  } catch (error) {
    progress(messageOf(error));
    Deno.exit(USAGE_EXIT_CODE);
  }
}

async function measure(
  rows: readonly Row[],
  options: Options,
  onRow: (report: RowReport) => void,
): Promise<Scoreboard> {
  const kinds: Kind[] = folderOf("RECEPTOR_PEERS") === undefined ? ["ours"] : ["ours", "go"];
  if (!runsFromSource()) await buildOurs();
  const machine = await describeMachine(kinds);
  progress(machineLine(machine));
  const interrupted = new AbortController();
  const interrupt = () => interrupted.abort(new Error("interrupted"));
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, interrupt);

  const reports: RowReport[] = [];
  for (const row of rows) {
    const runs = options.runs ?? (options.quick ? 1 : row.runs);
    progress(`${row.name}: ${row.title}, ${runs} ${runs === 1 ? "run" : "runs"}`);
    const before = loadNow();
    const start = performance.now();
    const outcomes = await measureRow(row, { kinds, runs, signal: interrupted.signal })
      .catch((error) => {
        // What was measured before is still printed.
        if (!interrupted.signal.aborted) throw error;
        progress(`${row.name} was interrupted`);
        Deno.exitCode = 1;
      });
    if (outcomes === undefined) break;
    const seconds = (performance.now() - start) / 1000;
    const report = reportRow(row, outcomes, { load: [before, loadNow()], seconds });
    reports.push(report);
    onRow(report);
  }
  return { machine, quick: options.quick, rows: reports };
}

const { options, rows } = fromArguments();
if (options.print === "help") {
  say(HELP);
  Deno.exit(0);
}
if (options.print === "list") {
  for (const { name, title } of rows) say(`${name.padEnd(16)} ${title}`);
  Deno.exit(0);
}
const onRow = (report: RowReport) => {
  if (options.print === "text") say(textRow(report));
};
if (options.print === "text") say(textHead());
let board: Scoreboard;
if (options.from === undefined) {
  board = await measure(rows, options, onRow);
} else {
  board = JSON.parse(await Deno.readTextFile(options.from));
  board.rows.forEach(onRow);
}
if (options.print === "json") say(JSON.stringify(board, null, 2));
if (options.print === "markdown") {
  say(`${machineLine(board.machine)}; ${loadLine(board.rows)}.\n\n${markdownTable(board.rows)}`);
}
if (board.rows.some(({ errors }) => "ours" in errors)) Deno.exitCode = 1;
Deno.exit();
