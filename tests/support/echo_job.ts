/**
 * A job for many units at once: it records each run under the name that its payload begins with,
 * writes half of the payload, and the other half once the test lets the unit go on.
 */
import type { TempFolder } from "./temp_folder.ts";
import type { Action } from "./test_node.ts";

/**
 * A fifo `<name>.go` that the test holds open keeps the job waiting. `runs` gets one line per run,
 * written before any output.
 */
const SCRIPT = `
cd "$(dirname "$0")" || exit 1
IFS= read -r name
cat >"$name.in.$$"
echo "$name $$" >>runs
size=$(wc -c <"$name.in.$$")
half=$((size / 2))
head -c "$half" "$name.in.$$"
read -r _ <"$name.go"
tail -c +"$((half + 1))" "$name.in.$$"
`;

export class EchoJob {
  readonly #folder: TempFolder;

  private constructor(folder: TempFolder) {
    this.#folder = folder;
  }

  /** `folder` holds the files of the job and is used by this job alone. */
  static async create(folder: TempFolder): Promise<EchoJob> {
    await Deno.writeTextFile(folder.join("job.sh"), SCRIPT);
    await Deno.writeTextFile(folder.join("runs"), "");
    return new EchoJob(folder);
  }

  /** The command that runs it. */
  get command(): { command: string; params: string } {
    return { command: "/bin/sh", params: this.#folder.join("job.sh") };
  }

  /** The action that makes this job the work type `worktype`. */
  workType(worktype = "echo"): Action {
    return { "work-command": { worktype, ...this.command } };
  }

  /** The payload that makes a unit called `name` print `output`. */
  payload(name: string, output: Uint8Array): Uint8Array {
    const line = new TextEncoder().encode(`${name}\n`);
    const payload = new Uint8Array(line.length + output.length);
    payload.set(line);
    payload.set(output, line.length);
    return payload;
  }

  /** Makes runs under `name` wait halfway through their output. */
  async hold(name: string): Promise<HeldJob> {
    const path = this.#folder.join(`${name}.go`);
    const { success } = await new Deno.Command("mkfifo", { args: [path] }).output();
    if (!success) throw new Error(`mkfifo ${path} failed`);
    // Open for reading and writing, so that neither side waits for the other to open it.
    return new HeldJob(await Deno.open(path, { read: true, write: true }));
  }

  /** How often a job ran under `name`. */
  async runs(name: string): Promise<number> {
    const lines = (await Deno.readTextFile(this.#folder.join("runs"))).split("\n");
    return lines.filter((line) => line.startsWith(`${name} `)).length;
  }
}

/** A unit's job that waits halfway. Keep it until the unit is complete. */
export class HeldJob implements Disposable {
  readonly #fifo: Deno.FsFile;

  constructor(fifo: Deno.FsFile) {
    this.#fifo = fifo;
  }

  /** Lets the job write its other half and end; may be repeated. */
  letGo(): void {
    this.#fifo.writeSync(new TextEncoder().encode("go\n"));
  }

  [Symbol.dispose](): void {
    this.#fifo.close();
  }
}
