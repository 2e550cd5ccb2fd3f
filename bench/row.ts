/**
 * What a row of the scoreboard is: something that users do, done by each contender in turn, and
 * the figures that this gives.
 */

/** Whose daemons do it. */
export type Kind = "ours" | "go";

/** One line of the table. */
export interface Figure {
  /** Where a run's sample has it. */
  readonly key: string;
  readonly label: string;
  readonly unit: string;
  readonly better: "lower" | "higher";
}

/** What one run gave: a number for each of the row's figures that it has. */
export type Sample = Readonly<Record<string, number>>;

/** One that is measured, ready to go: its daemons are up and warm. */
export interface Contender extends AsyncDisposable {
  /** Does it once. Gives up, rejecting, when the signal aborts. */
  run(signal: AbortSignal): Promise<Sample>;
}

/** Something without Receptor that does as much of the work as must be done, as a yardstick. */
export interface Limit {
  /** What it is, for the table. */
  readonly name: string;
  /** Resolves to `undefined` when this machine does not have what it takes. */
  setUp(signal: AbortSignal): Promise<Contender | undefined>;
}

export interface Row {
  /** As `--only` names it. */
  readonly name: string;
  /** What is done. */
  readonly title: string;
  readonly figures: readonly Figure[];
  /** Runs of each contender, when `--runs` does not say. */
  readonly runs: number;
  /** One run, or one setting up, that takes longer than this has failed. */
  readonly timeoutMs: number;
  readonly limits?: readonly Limit[];
  setUp(kind: Kind, signal: AbortSignal): Promise<Contender>;
}

/** How much a row does. */
export interface Scale {
  /** `full` for figures that count, `quick` to see that the row works. */
  pick(full: number, quick: number): number;
}

/** Figures come out of `pick(full, …)`, or for a smoke test of `pick(…, quick)`. */
export function scaleOf(quick: boolean): Scale {
  return { pick: (full, small) => quick ? small : full };
}

/** A contender that starts all it needs anew in each run. */
export function anew(run: (signal: AbortSignal) => Promise<Sample>): Contender {
  return { run, [Symbol.asyncDispose]: () => Promise.resolve() };
}

/** A contender over what is up already; `owned` is disposed of with it. */
export function over(
  owned: AsyncDisposable,
  run: (signal: AbortSignal) => Promise<Sample>,
): Contender {
  return { run, [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose]() };
}
