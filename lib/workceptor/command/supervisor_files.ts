/**
 * What a supervisor leaves in its unit's folder:
 *
 *     supervisor       who runs the job: boot id, supervisor, command (3 lines)
 *     exit             the command's exit status, one line
 *     supervisor.log   what the shell itself says, such as "Killed"
 */
import { parseStatLine, type ProcessIdentity, readBootId } from "./process_identity.ts";

/** How a command ended, as far as that is known. */
export type JobEnd =
  | { readonly kind: "exited"; readonly status: number }
  | { readonly kind: "signaled"; readonly signal: number; readonly coreDumped: boolean }
  /** It could not be run, because of `problem`. */
  | { readonly kind: "not run"; readonly problem: string }
  /** The supervisor died before it could write the status. */
  | { readonly kind: "lost" }
  /** The unit's command was run, or given up, by somebody else. */
  | { readonly kind: "taken" };

/** What an earlier daemon's supervisor left in the folder. */
export interface SupervisorRecord {
  readonly bootId: string;
  readonly supervisor: ProcessIdentity | undefined;
  readonly command: ProcessIdentity | undefined;
}

/**
 * What the `exit` file says; `undefined` while the job has not ended. The status is written over
 * the first of the blanks that reserve its space; without its newline, it was cut off.
 */
export async function readJobEnd(folder: string): Promise<JobEnd | undefined> {
  const text = await readTextOrEmpty(`${folder}/exit`);
  if (!/^\d+\n/.test(text)) return undefined;
  const status = Number.parseInt(text, 10);
  const said = (await readTextOrEmpty(`${folder}/supervisor.log`)).trim();
  if (said === "") return { kind: "exited", status };
  // A shell adds 128 to the signal's number, but the command may also exit with such a status
  // itself: only for a signal does the shell print something.
  if (status > 128) {
    return { kind: "signaled", signal: status - 128, coreDumped: said.includes("core dumped") };
  }
  return { kind: "not run", problem: problemIn(said.split("\n")[0]!) };
}

/** Reasons for a failed exec that shells word differently from Go. */
const GO_REASONS: Record<string, string> = {
  "not found": "no such file or directory",
  "is a directory": "permission denied",
};

/**
 * Turns what a shell says about a failed exec (`fork/exec <command>: <reason>`) into Go's words.
 */
function problemIn(said: string): string {
  const [, where, reason] = /^(fork\/exec .*: )(.*)$/.exec(said) ?? [];
  if (where === undefined || reason === undefined) return said;
  const lower = reason.toLowerCase();
  return where + (GO_REASONS[lower] ?? lower);
}

/** Reads the `supervisor` file; `undefined` if no supervisor ever took the unit. */
export async function readSupervisorRecord(
  folder: string,
): Promise<SupervisorRecord | undefined> {
  let text: string;
  try {
    text = await Deno.readTextFile(`${folder}/supervisor`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  const [bootId = "", supervisor = "", command = ""] = text.split("\n");
  return { bootId, supervisor: parseStatLine(supervisor), command: parseStatLine(command) };
}

/**
 * Takes the unit away from a supervisor that may have been spawned but not run yet. Resolves to
 * whether that worked; if not, a supervisor has the unit.
 */
export async function takeFromSupervisor(folder: string): Promise<boolean> {
  try {
    await Deno.writeTextFile(`${folder}/supervisor`, `${await readBootId()}\n`, {
      createNew: true,
      mode: 0o600,
    });
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return false;
    throw error;
  }
}

async function readTextOrEmpty(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}
