/** Measures one row: its contenders take turns, so that a noisy moment hits all of them. */
import { messageOf } from "../lib/base/error_message.ts";
import type { Contender, Kind, Limit, Row, Sample } from "./row.ts";

/** What became of one contender. */
export interface Outcome {
  /** "ours", "go", or the name of a limit. */
  readonly contender: string;
  /** The sample of each successful run, in order. */
  readonly samples: readonly Sample[];
  /** Why it dropped out. */
  readonly error?: string;
}

interface Entrant {
  readonly name: string;
  readonly setUp: Limit["setUp"];
  readonly samples: Sample[];
  state: { phase: "waiting" } | { phase: "ready"; contender: Contender } | {
    phase: "out";
    error: string;
  };
}

export interface MeasureOptions {
  readonly kinds: readonly Kind[];
  readonly runs: number;
  /** Ends the measurement, which then rejects with its reason. */
  readonly signal: AbortSignal;
}

/**
 * Runs ours, theirs, the limits, ours, theirs, … One that fails is dropped, with the reason, and
 * the others go on without it.
 */
export async function measureRow(row: Row, options: MeasureOptions): Promise<Outcome[]> {
  const { kinds, runs, signal } = options;
  const entrants: Entrant[] = [
    ...kinds.map((kind) => entrant(kind, (signal) => row.setUp(kind, signal))),
    ...(row.limits ?? []).map((limit) => entrant(limit.name, (signal) => limit.setUp(signal))),
  ];
  try {
    for (let run = 0; run < runs; run++) {
      for (const entrant of entrants) {
        signal.throwIfAborted();
        await takeTurn(entrant, row.timeoutMs, signal);
      }
    }
  } finally {
    for (const { state } of entrants) {
      if (state.phase === "ready") await state.contender[Symbol.asyncDispose]();
    }
  }
  signal.throwIfAborted();
  return entrants.map(({ name, samples, state }) => ({
    contender: name,
    samples,
    ...(state.phase === "out" ? { error: state.error } : {}),
  }));
}

function entrant(name: string, setUp: Entrant["setUp"]): Entrant {
  return { name, setUp, samples: [], state: { phase: "waiting" } };
}

async function takeTurn(entrant: Entrant, timeoutMs: number, signal: AbortSignal): Promise<void> {
  try {
    if (entrant.state.phase === "waiting") {
      const contender = await bounded("the set-up", timeoutMs, signal, entrant.setUp);
      entrant.state = contender === undefined
        ? { phase: "out", error: "not there" }
        : { phase: "ready", contender };
    }
    if (entrant.state.phase === "out") return;
    const { contender } = entrant.state;
    entrant.samples.push(await bounded("the run", timeoutMs, signal, (s) => contender.run(s)));
  } catch (error) {
    // Its daemons may still be busy: stop them before the others go on.
    if (entrant.state.phase === "ready") await entrant.state.contender[Symbol.asyncDispose]();
    entrant.state = { phase: "out", error: messageOf(error) };
  }
}

/** Gives `work` a signal that aborts after `timeoutMs`, and waits for it to give up. */
async function bounded<T>(
  what: string,
  timeoutMs: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => T | Promise<T>,
): Promise<T> {
  const late = new AbortController();
  const timer = setTimeout(
    () => late.abort(new Error(`${what} was not finished after ${timeoutMs / 1000} s`)),
    timeoutMs,
  );
  try {
    return await work(AbortSignal.any([signal, late.signal]));
  } finally {
    clearTimeout(timer);
  }
}
