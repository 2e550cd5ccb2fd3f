/**
 * A job that writes when the test tells it to, so that something can be broken right in the middle,
 * and that leaves a line on disk each time it is run.
 */
import { eventually } from "./eventually.ts";
import { isRunning } from "./processes.ts";
import { writeRandomFile } from "./payload.ts";
import type { TempFolder } from "./temp_folder.ts";
import type { Action } from "./test_node.ts";

/** Unit of a step. */
export const MEBIBYTE = 1 << 20;

/**
 * Fifo `steps` is held open for reading and writing, so that neither side waits for the other to
 * open it. The write is done by a child, so that the job is more than one process.
 */
const SCRIPT = `
cd "$(dirname "$0")" || exit 1
exec 3<>steps
cat >payload
echo "$$" >>runs
at=0
while read -r step <&3; do
  case $step in
    exit*) exit "\${step#exit }" ;;
    *) dd if=output bs=${MEBIBYTE} skip="$at" count="$step" 2>/dev/null; at=$((at + step)) ;;
  esac
done
`;

export class PacedJob implements Disposable {
  readonly #folder: TempFolder;
  readonly #steps: Deno.FsFile;
  /** SHA-256, hex, of the whole output. */
  readonly sha256: string;
  /** Bytes of the whole output. */
  readonly size: number;

  private constructor(folder: TempFolder, steps: Deno.FsFile, sha256: string, size: number) {
    this.#folder = folder;
    this.#steps = steps;
    this.sha256 = sha256;
    this.size = size;
  }

  /** A job whose whole output is `mebibytes` of random bytes; `folder` holds its files. */
  static async create(folder: TempFolder, mebibytes: number): Promise<PacedJob> {
    const size = mebibytes * MEBIBYTE;
    const sha256 = await writeRandomFile(folder.join("output"), size);
    await Deno.writeTextFile(folder.join("job.sh"), SCRIPT);
    const path = folder.join("steps");
    const { success } = await new Deno.Command("mkfifo", { args: [path] }).output();
    if (!success) throw new Error(`mkfifo ${path} failed`);
    const steps = await Deno.open(path, { read: true, write: true });
    return new PacedJob(folder, steps, sha256, size);
  }

  /** The action that makes this job the work type `worktype`. */
  workType(worktype = "paced"): Action {
    const script = this.#folder.join("job.sh");
    return { "work-command": { worktype, command: "/bin/sh", params: script } };
  }

  /** Lets the job write its next `mebibytes`. */
  async write(mebibytes: number): Promise<void> {
    await this.#step(`${mebibytes}`);
  }

  /** Lets the job end. */
  async exit(status = 0): Promise<void> {
    await this.#step(`exit ${status}`);
  }

  /** Process ids of all processes that ever ran this job, in order. */
  async runs(): Promise<number[]> {
    const text = await Deno.readTextFile(this.#folder.join("runs")).catch(() => "");
    return text.split("\n").slice(0, -1).map(Number);
  }

  /** Resolves to the job's process id once it runs and has read its payload. */
  async started(): Promise<number> {
    return await eventually(async () => (await this.runs())[0], { what: "the job's start" });
  }

  /** Resolves when no process of the job is left. */
  async gone(): Promise<void> {
    await eventually(async () => !(await this.runs()).some(isRunning), {
      what: "the end of the job's process",
    });
  }

  /** What the job received on its stdin. */
  get payloadPath(): string {
    return this.#folder.join("payload");
  }

  [Symbol.dispose](): void {
    this.#steps.close();
  }

  async #step(line: string): Promise<void> {
    await this.#steps.write(new TextEncoder().encode(`${line}\n`));
  }
}
