/** Ends all processes of a job: asks first, insists later. */
import { type Clock, sleep } from "../../base/clock.ts";
import { findJobProcesses, type JobTrace } from "./job_processes.ts";
import { isRunning, isSameProcess, type ProcessEntry } from "./process_identity.ts";
import { signalGroup, signalProcess } from "./signals.ts";

/** Nothing announces the end of a process, so it is polled for, at intervals that double. */
const FIRST_CHECK_MS = 5;
const MAX_CHECK_MS = 100;

/** How long a killed process may take to die; one that waits for a broken disk never does die. */
const DEATH_MS = 2_000;

/**
 * Rounds of killing. One is enough unless a process escapes it, which a stopped one cannot; another
 * user's processes, which can be neither stopped nor killed, take all of them.
 */
const KILL_ROUNDS = 3;

/** How long to chase processes that fork faster than they can be stopped. */
const CHASE_MS = 2_000;

export interface StopOptions {
  readonly clock: Clock;
  /** From the first request to the kill. */
  readonly graceMs: number;
  /** Cuts the grace short. */
  readonly insist: AbortSignal;
  /** Gives up: whatever has not ended keeps running. */
  readonly signal: AbortSignal;
  /** How to ask; "interrupt" if not given. */
  readonly ask?: "interrupt" | "hang up";
}

/**
 * Ends the job's processes and resolves to those that could not be ended.
 *
 * - To interrupt it, the command is asked first, by the SIGINT to its group that the original sends,
 *   so that it can wind down what it started in its own way. Whatever is left when the command is
 *   gone gets a SIGTERM.
 * - To hang up on it, all get a SIGHUP at once, as if their terminal had gone.
 * - Whatever is left after the grace time is killed.
 */
export async function stopJob(trace: JobTrace, options: StopOptions): Promise<ProcessEntry[]> {
  const { clock, insist, signal } = options;
  const patience = AbortSignal.any([insist, signal]);
  const killAt = clock.now() + options.graceMs;
  // Without a mark, a process that has lost its parent is known only from the previous look.
  let found: ProcessEntry[] = [];
  while (clock.now() < killAt && !insist.aborted) {
    signal.throwIfAborted();
    found = await findJobProcesses(trace, { known: found });
    if (found.length === 0) return [];
    const asked = options.ask === "hang up" ? hangUp(found) : interrupt(found, trace);
    await untilGone(asked, { clock, until: killAt, signal: patience });
  }
  signal.throwIfAborted();
  return await killJob(trace, found, options);
}

/** Returns those that were asked, as does `hangUp`. */
function interrupt(found: readonly ProcessEntry[], trace: JobTrace): readonly ProcessEntry[] {
  const heads = found.filter((entry) => isHead(entry, trace));
  if (heads.length > 0) signalGroup(trace.leader.pid, "SIGINT");
  else for (const entry of found) signalProcess(entry, "SIGTERM");
  return heads.length > 0 ? heads : found;
}

function hangUp(found: readonly ProcessEntry[]): readonly ProcessEntry[] {
  for (const entry of found) {
    signalProcess(entry, "SIGHUP");
    // One that was suspended would not notice.
    signalProcess(entry, "SIGCONT");
  }
  return found;
}

/** Whether this is the command or its supervisor. */
function isHead(entry: ProcessEntry, { leader, command }: JobTrace): boolean {
  return isSameProcess(entry, leader) || command !== undefined && isSameProcess(entry, command);
}

/**
 * Kills the job's processes. All of them are stopped before the first is killed: one still running
 * could fork in the meantime, and with a dead parent the child would be harder to find.
 */
async function killJob(
  trace: JobTrace,
  known: readonly ProcessEntry[],
  { clock, signal }: StopOptions,
): Promise<ProcessEntry[]> {
  let left = [...known];
  for (let round = 0; round < KILL_ROUNDS; round++) {
    const targets = await freeze(trace, { clock, known: left });
    for (const entry of targets) signalProcess(entry, "SIGKILL");
    await untilGone(targets, { clock, until: clock.now() + DEATH_MS, signal });
    left = await findJobProcesses(trace, { known: targets });
    if (left.length === 0) break;
  }
  return left;
}

/** Sends SIGSTOP to the job's processes until every one is stopped, and resolves to them. */
async function freeze(
  trace: JobTrace,
  { clock, known }: { clock: Clock; known: readonly ProcessEntry[] },
): Promise<ProcessEntry[]> {
  const targets = new Map<string, ProcessEntry>();
  const stop = (entry: ProcessEntry) => {
    if (targets.has(keyOf(entry))) return;
    signalProcess(entry, "SIGSTOP");
    targets.set(keyOf(entry), entry);
  };
  const giveUpAt = clock.now() + CHASE_MS;
  for (let before = -1; before < targets.size && clock.now() < giveUpAt;) {
    before = targets.size;
    const found = await findJobProcesses(trace, {
      known: [...known, ...targets.values()],
      onMarked: stop,
    });
    for (const entry of found) stop(entry);
  }
  return [...targets.values()];
}

function keyOf({ pid, startTime }: ProcessEntry): string {
  return `${pid} ${startTime}`;
}

/** Resolves when none of the processes runs any more, at the time `until`, or on abort. */
async function untilGone(
  processes: readonly ProcessEntry[],
  { clock, until, signal }: { clock: Clock; until: number; signal: AbortSignal },
): Promise<void> {
  let pauseMs = FIRST_CHECK_MS;
  let left = processes;
  while (!signal.aborted) {
    left = left.filter(isRunning);
    const remaining = until - clock.now();
    if (left.length === 0 || remaining <= 0) return;
    await sleep(clock, Math.min(pauseMs, remaining), { signal }).catch(() => {});
    pauseMs = Math.min(2 * pauseMs, MAX_CHECK_MS);
  }
}
