/**
 * Tries to stop the job of the supervisor with a given pid, and prints the pids that are left:
 * `deno run _stop_as_another.ts <pid>`, as a user who may not stop it.
 */
import { systemClock } from "../../../lib/base/clock.ts";
import { readProcess } from "../../../lib/workceptor/command/process_identity.ts";
import { stopJob } from "../../../lib/workceptor/command/stop_job.ts";

const leader = readProcess(Number(Deno.args[0]))!;
const { signal } = new AbortController();
const clock = { ...systemClock, now: () => 10 * systemClock.now() };
const left = await stopJob({ leader }, { clock, graceMs: 100, insist: signal, signal });
const pids = left.map(({ pid }) => pid).sort((a, b) => a - b);
Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(pids)));
